"""Makes a guest's disk: a minimal Debian with systemd, on which `script/bootstrap` has run.

Nothing is in it that Debian's `minbase` or bootstrap did not ask for: what a platform needs and no
list names is missed here. It takes minutes and the network; so it is kept, by what it is made from.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/smartplatform/guests")
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
}
"""What this host needs for it: program → package."""
BASE = "systemd-sysv,udev,linux-image-cloud-amd64"
DISK_BYTES = 12 << 30
MAKE_TIMEOUT_S = 3600
PLACE = "opt/smartplatform"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

_BOOTSTRAP = """
set -eu
cd "$1"
mount --bind . .
cd "$1"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount -t tmpfs tmpfs tmp
mkdir -p .host
pivot_root . .host
umount --lazy /.host
rmdir /.host
cd /opt/smartplatform
exec script/bootstrap
"""
"""Not chroot(8): the kernel refuses user namespaces there, and bootstrap tries one."""

_UNIT = """
[Unit]
Description=Carries out what the tests ask for
DefaultDependencies=yes

[Service]
ExecStart=/usr/bin/python3 /opt/agent.py
Restart=always
StandardOutput=journal

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Image:
    """A disk of the cache, never written again, and what boots it."""

    disk: Path
    kernel: Path
    initrd: Path


def image(codename: str) -> Image:
    """The image of a Debian release; made first where it is not there."""
    folder = CACHE / f"{codename}-{_digest(codename)}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            _make(codename, Path(work))
            (Path(work) / "made").rename(folder)
    return Image(folder / "disk", folder / "kernel", folder / "initrd")


def code(target: Path) -> None:
    """The checkout as it stands, as a tar file: it changes more often than what it needs."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    there = [
        name
        for name in listed.stdout.split(b"\0")
        if name and (CHECKOUT / os.fsdecode(name)).exists()
    ]
    subprocess.run(
        ["tar", "--create", "--file", str(target), "--null", "--files-from", "-"],
        cwd=CHECKOUT, input=b"\0".join(there), check=True, timeout=60,
    )  # fmt: skip


def _digest(codename: str) -> str:
    digest = hashlib.sha256(f"{codename} {BASE} {_BOOTSTRAP} {_UNIT}".encode())
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]
    digest.update(json.dumps([wanted["requires-python"], wanted["dependencies"]]).encode())
    for name in (
        "script/bootstrap",
        "paas/node/images/stacks.py",
        "tests/guest/agent.py",
    ):
        digest.update((CHECKOUT / name).read_bytes())
    return digest.hexdigest()[:12]


def _make(codename: str, work: Path) -> None:
    root, made = work / "root", work / "made"
    root.mkdir()
    made.mkdir()
    _run("mmdebstrap", "--variant=minbase", f"--include={BASE}", codename, str(work / "base.tar"))
    _run("tar", "--extract", "--file", str(work / "base.tar"), "--directory", str(root))
    (root / PLACE).mkdir(parents=True)
    code(work / "code.tar")
    _run("tar", "--extract", "--file", str(work / "code.tar"), "--directory", str(root / PLACE))
    _bootstrap(root)
    _furnish(root)
    for kind, name in (("kernel", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = (root / "boot").glob(name)
        shutil.copyfile(found, made / kind)
    disk = made / "disk"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk))


def _bootstrap(root: Path) -> None:
    """With this host's resolver and authorities, which are gone from the image afterwards."""
    authorities = root / "opt" / "authorities.crt"
    shutil.copyfile(_AUTHORITIES, authorities)
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ} | {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "PIP_CERT": "/opt/authorities.crt",
    }
    command = ["unshare", "--mount", "--fork", "bash", "-c", _BOOTSTRAP, "bash", str(root)]
    subprocess.run(command, env=environment, check=True, timeout=MAKE_TIMEOUT_S)
    authorities.unlink()
    (root / "etc/resolv.conf").unlink()


def _furnish(root: Path) -> None:
    """What makes it a guest of these tests: its agent, its name, a root file system, no waiting."""
    shutil.copyfile(CHECKOUT / "tests/guest/agent.py", root / "opt/agent.py")
    units = root / "etc/systemd/system"
    (units / "agent.service").write_text(_UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "agent.service").symlink_to("../agent.service")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (root / "etc/hostname").write_text("guest\n")
    shutil.rmtree(root / ".host", ignore_errors=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=MAKE_TIMEOUT_S, stdin=subprocess.DEVNULL)
