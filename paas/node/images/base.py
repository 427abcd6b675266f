"""The base image: the root that every zone writes to, empty but for what Linux expects to find.

`/usr` and `/opt/node` are mount points (a stack, a runtime). `/etc` is the stack's skeleton with
the users that a zone has; resolv.conf, hosts and hostname are mounted over empty files.
"""

import os
import shutil
import uuid
from pathlib import Path

from paas.node import words
from paas.node.images.manifests import Manifest
from paas.node.images.store import ROOT, Images

APP_ID = 1000
"""uid and gid of `app`, in every image."""
_RECIPE = 1
_FOLDERS = [
    "app",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "opt/node",
    "opt/smartplatform",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "var/cache",
    "var/lib",
    "var/log",
    "var/spool",
    "var/tmp",
]
_EMPTY_FILES = ["etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/machine-id", "etc/fstab"]
_LINKS = {"etc/mtab": "../proc/self/mounts", "var/run": "../run", "var/lock": "../run/lock"}
_PASSWD = f"""root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
app:x:{APP_ID}:{APP_ID}:app:/app:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = f"""root:x:0:
daemon:x:1:
tty:x:5:
app:x:{APP_ID}:
nogroup:x:65534:
"""
_NSSWITCH = """passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
"""


def install(images: Images, stack: Manifest, namespace: uuid.UUID) -> Manifest:
    """The base image that fits a stack (the `build` variant: its `/etc` serves both)."""
    given = {
        "uuid": str(uuid.uuid5(namespace, f"base {_RECIPE} {stack['uuid']}")),
        "name": "base",
        "version": f"{_RECIPE}-{stack['version']}",
        "tags": {words.ROLE: "base"},
    }
    userland = images.pool.path(stack["uuid"]) / ROOT
    return images.create(given, lambda root: fill(root, userland))


def fill(root: Path, stack: Path) -> None:
    """Make the tree in an empty folder, from a stack's userland."""
    for folder in _FOLDERS:
        (root / folder).mkdir(mode=0o755)
    _copy_skeleton(stack / "etc", root / "etc")
    for name in sorted(entry.name for entry in (stack / "usr").iterdir()):
        if name == "bin" or name == "sbin" or (name.startswith("lib") and name != "libexec"):
            (root / name).symlink_to(f"usr/{name}")
    for file in _EMPTY_FILES:
        (root / file).touch(mode=0o644)
    for link, target in _LINKS.items():
        (root / link).symlink_to(target)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    (root / "etc/nsswitch.conf").write_text(_NSSWITCH)
    _set_owners_and_modes(root)


def _copy_skeleton(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _set_owners_and_modes(root: Path) -> None:
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    (root / "root").chmod(0o700)
    os.chown(root / "app", APP_ID, APP_ID)
