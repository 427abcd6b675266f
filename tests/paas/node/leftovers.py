"""What an installation has on this host that no machine or image accounts for.

Looked up with the host's own means, not with the node's code.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from paas.settings import Settings
from tests.processes import has_ended


def leftovers(settings: Settings, machines: set[str], images: set[str], node_pid: int) -> list[str]:
    """One line for each thing that is there and should not be, when only `machines` exist."""
    return [
        *(f"mount {line}" for line in _mounts(settings) if not _of(machines, line)),
        *(f"interface {name}" for name in _surplus(_interfaces(settings), len(machines))),
        *(f"cgroup {path}" for path in _cgroups(settings) if not _of(machines, path)),
        *(f"dataset {name}" for name in _datasets(settings) if name not in machines | images),
        *(f"process {line}" for line in _processes(settings, node_pid) if not _of(machines, line)),
        *(f"rule {line}" for line in _speakers(settings, len(machines))),
        *(f"neighbour {name}" for name in _surplus(_neighbours(settings, 4), len(machines))),
        *(f"neighbour {name}" for name in _surplus(_neighbours(settings, 6), len(machines))),
        *(f"folder {path}" for path in _run_folders(settings) if not _of(machines, path)),
        *(f"record {name}" for name in _records(settings) if not _of(machines, name)),
    ]


def processes_of(settings: Settings) -> Iterator[tuple[int, str, str]]:
    """Pid, program and arguments of every process of the installation, by its arguments."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                argv = Path(entry.path, "cmdline").read_bytes().split(b"\0")
                text = b" ".join(argv).decode(errors="replace")
                if f"/{settings.installation}/" in text:
                    yield int(entry.name), os.path.basename(argv[0].decode()), text  # noqa: PTH119


def _of(machines: set[str], text: str) -> bool:
    return any(uuid in text for uuid in machines)


def _surplus(found: list[str], count: int) -> list[str]:
    return found if len(found) > count else []


def _mounts(settings: Settings) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if f" {settings.run}/" in line]


def _interfaces(settings: Settings) -> list[str]:
    return [path.name for path in Path("/sys/class/net").glob(f"{settings.veth_prefix}*")]


def _cgroups(settings: Settings) -> Iterator[str]:
    mount = Path("/sys/fs/cgroup")
    for hierarchy in (mount, *(path for path in mount.iterdir() if path.is_dir())):
        for kind in ("machines", "builds"):
            folder = hierarchy / settings.installation / kind
            if folder.is_dir():
                # `images` is there for good: what derives images is put into it.
                found = (path for path in folder.iterdir() if path.name != "images")
                yield from (str(path) for path in found if path.is_dir())


def _datasets(settings: Settings) -> set[str]:
    pool = settings.pool_mount
    hidden = [pool / ".snapshots", pool / ".renames"]
    names = {path.name for folder in (pool, *hidden) for path in folder.iterdir()}
    return {name for name in names if not name.startswith(".")}


def _processes(settings: Settings, node_pid: int) -> Iterator[str]:
    for pid, _, text in processes_of(settings):
        if pid not in (node_pid, os.getpid()):
            yield f"{pid} {text}"
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and not has_ended(int(entry.name)):
            with suppress(OSError):
                for line in Path(entry.path, "cgroup").read_text().splitlines():
                    ours = f"/{settings.installation}/"
                    if ours in line and not line.endswith(f"{ours}platform"):
                        yield f"{entry.name} in {line}"


def _speakers(settings: Settings, count: int) -> list[str]:
    found = []
    for family in ("bridge", "inet"):
        argv = ["nft", "-j", "list", "table", family, settings.nftables_table]
        listing = json.loads(subprocess.check_output(argv, timeout=10))
        for shown in (item["set"] for item in listing["nftables"] if "set" in item):
            if shown["name"].startswith(("speakers", "builds")):
                elements = [f"{shown['name']}: {element}" for element in shown.get("elem", [])]
                found += _surplus(elements, count)
    return found


def _neighbours(settings: Settings, version: int) -> list[str]:
    argv = ["ip", "-j", f"-{version}", "neighbour", "show", "dev", settings.bridge]
    return [str(item["dst"]) for item in json.loads(subprocess.check_output(argv))]


def _run_folders(settings: Settings) -> list[str]:
    folders = (settings.machines_run, settings.run / "runc")
    return [str(path) for folder in folders for path in folder.iterdir()]


def _records(settings: Settings) -> list[str]:
    folders = (settings.pool_mount / ".machines", settings.pool_mount / ".images")
    names = [path.name for folder in folders for path in folder.iterdir()]
    return [name for name in names if not (name.endswith(".json") and _is_image(settings, name))]


def _is_image(settings: Settings, name: str) -> bool:
    return (settings.pool_mount / ".images" / name).exists()
