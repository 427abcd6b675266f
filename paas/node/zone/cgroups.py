"""A machine's cgroup: `<installation>/{machines,runs,builds}/<uuid>`, in cgroup v1, hybrid and v2.

In it `conmon` (charged to the machine, so that a log flood is the machine's own) and `zone` (the
runtime's). The limits stand on the machine's folder and hold for both. All of it lies outside any
service's cgroup: stopping the node stops no machine. What the classes weigh is `classes`'.
"""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paas.node.zone import classes

MOUNT = classes.MOUNT
_OPTIONAL = ("swap", "memsw", "kmem")
_V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
_MIB = 1024 * 1024
_PERIOD_US = 100_000
_SOCKETS_PART = 4
_SHARES_PER_WEIGHT = 4
"""cgroup v2's weights reach to 10,000: so an eighth of a core is exact (32), and 39 cores fit."""


@dataclass(frozen=True)
class Limits:
    """From the package: MiB, cpu_shares (1024 a core), percent of one core (0 = none), tasks.

    `io_weight` is vmadm's zfs_io_priority: 100 is ordinary.
    """

    memory_mib: int
    swap_mib: int
    cpu_shares: int
    cpu_cap: int
    lwps: int
    io_weight: int = 100


def hierarchies(mount: Path = MOUNT) -> dict[str, Path]:
    """Folders in which a machine's cgroup is made, by controller; `{"": root}` for v2."""
    if classes.is_v2(mount):
        return {"": mount}
    found = {name: mount / name for name in _V1_CONTROLLERS if (mount / name).is_dir()}
    return found


def name(installation: str, kind: str, uuid: str) -> str:
    return f"/{installation}/{kind}/{uuid}"


def limit_files(limits: Limits, *, v2: bool) -> dict[str, dict[str, str]]:
    """What to write: controller (`""` in v2) → file → value. Pure."""
    memory = limits.memory_mib * _MIB
    quota = limits.cpu_cap * _PERIOD_US // 100
    if v2:
        return {
            "": {
                "memory.max": str(memory),
                "memory.swap.max": str(max(0, limits.swap_mib - limits.memory_mib) * _MIB),
                "memory.oom.group": "0",
                "cpu.weight": str(
                    min(10_000, max(1, round(limits.cpu_shares / _SHARES_PER_WEIGHT)))
                ),
                "cpu.max": f"{quota if quota else 'max'} {_PERIOD_US}",
                "pids.max": str(limits.lwps),
            }
        }
    return {
        "memory": {
            "memory.limit_in_bytes": str(memory),
            "memory.memsw.limit_in_bytes": str(max(limits.swap_mib, limits.memory_mib) * _MIB),
            # What waits in TCP and UDP sockets: v2 counts it as memory, v1 apart, and only in the
            # cgroup that the sockets' maker is in. All of it comes out of one sum of the host.
            "zone/memory.kmem.tcp.limit_in_bytes": str(memory // _SOCKETS_PART),
        },
        "cpu": {
            "cpu.shares": str(max(2, limits.cpu_shares)),
            "cpu.cfs_period_us": str(_PERIOD_US),
            "cpu.cfs_quota_us": str(quota if quota else -1),
        },
        "pids": {"pids.max": str(limits.lwps)},
    }


def make(path: str, limits: Limits, mount: Path = MOUNT) -> None:
    """Make the machine's cgroup with its limits. Repeatable."""
    kind = path.strip("/").split("/")[1]
    classes.weigh(path.strip("/").split("/")[0], kind, mount)
    for root in hierarchies(mount).values():
        for child in ("conmon", "zone"):
            if classes.is_v2(mount):
                classes.enable(root, f"{path.strip('/')}/{child}", mount)
            _make_folder(root / path.strip("/") / child)
    apply(path, limits, mount)


def _make_folder(folder: Path) -> None:
    """Also while the end of an earlier boot still removes it."""
    for _ in range(3):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            return folder.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def apply(path: str, limits: Limits, mount: Path = MOUNT) -> None:
    """Write the limits; live for a machine that runs."""
    roots = hierarchies(mount)
    for controller, files in limit_files(limits, v2="" in roots).items():
        if controller in roots:
            _write_all(roots[controller] / path.strip("/"), files)
    _apply_io(path, limits.io_weight, mount)


def enter(path: str, pid: int, mount: Path = MOUNT) -> None:
    """Move a process (conmon, before it starts the zone) into the machine's cgroup."""
    for root in hierarchies(mount).values():
        (root / path.strip("/") / "conmon" / "cgroup.procs").write_text(str(pid))


def entrances(path: str, mount: Path = MOUNT) -> list[Path]:
    """The files to which a process that is to be limited writes its pid."""
    roots = hierarchies(mount).values()
    return [root / path.strip("/") / "zone" / "cgroup.procs" for root in roots]


def processes(path: str, mount: Path = MOUNT) -> list[int]:
    """Host pids of the zone's processes (without conmon)."""
    for root in hierarchies(mount).values():
        folder = root / path.strip("/") / "zone"
        pids: list[int] = []
        for base, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                pids += [int(line) for line in (Path(base) / "cgroup.procs").read_text().split()]
        return pids
    return []


def kill(path: str, number: int = signal.SIGKILL, mount: Path = MOUNT) -> int:
    """Signal every process of the zone; how many there were."""
    pids = processes(path, mount)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)


def remove(path: str, mount: Path = MOUNT, timeout_s: float = 10.0) -> None:
    """Remove the machine's cgroup from every hierarchy, also those that the runtime made.

    A cgroup stays busy for a moment after its last process is gone; raises OSError(EBUSY) when that
    takes longer than `timeout_s`. Repeatable.
    """
    deadline = time.monotonic() + timeout_s
    folders = (root / path.strip("/") for root in classes.all_hierarchies(mount))
    for folder in folders:
        while not _remove_tree(folder):
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, f"the cgroup {folder} still has processes")
            time.sleep(0.002)  # The kernel has no event for "not busy any more" on v1.


def names(installation: str, kind: str, mount: Path = MOUNT) -> set[str]:
    """The uuids that have a cgroup in any hierarchy; for sweeping."""
    found: set[str] = set()
    for root in classes.all_hierarchies(mount):
        with contextlib.suppress(OSError):
            found |= {
                entry.name for entry in (root / installation / kind).iterdir() if entry.is_dir()
            }
    return found


def memory_usage_bytes(path: str, mount: Path = MOUNT) -> int:
    """What the machine uses now; 0 when it has no cgroup."""
    for root in hierarchies(mount).values():
        for file in ("memory.current", "memory.usage_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                return int((root / path.strip("/") / file).read_text())
    return 0


def _remove_tree(folder: Path) -> bool:
    if not folder.is_dir():
        return True
    for base, folders, _ in os.walk(folder, topdown=False):
        for child in folders:
            with contextlib.suppress(OSError):
                (Path(base) / child).rmdir()
    return classes.try_remove(folder)


def _write_all(folder: Path, files: Mapping[str, str]) -> None:
    # memory.limit and memory.memsw.limit must be raised in one order and lowered in the other:
    # writing them twice does both. A file that this kernel lacks (swap accounting) is no limit.
    for _ in range(2):
        for file, value in files.items():
            path = folder / file
            if path.exists():
                with contextlib.suppress(OSError):
                    path.write_text(value)
    for file, value in files.items():
        path = folder / file
        if path.exists() and not any(word in file for word in _OPTIONAL):
            path.write_text(value)


def _apply_io(path: str, io_weight: int, mount: Path) -> None:
    # conmon is not moved there: what it writes goes to disk by way of the page cache, which v1
    # charges to nobody, and each hierarchy to enter takes milliseconds of a boot.
    root = mount if classes.is_v2(mount) else mount / "blkio"
    if root.is_dir():
        folder = root / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        classes.write_io(folder, io_weight, v2=classes.is_v2(mount))
