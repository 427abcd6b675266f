"""A machine's cgroup: `<installation>/{machines,builds}/<uuid>`, in cgroup v1, hybrid and v2.

In it `conmon` (charged to the machine, so that a log flood is the machine's own) and `zone` (the
runtime's). The limits stand on the machine's folder and hold for both. All of it lies outside any
service's cgroup: stopping the node stops no machine.
"""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
_V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
_MIB = 1024 * 1024
_PERIOD_US = 100_000
CLASS_SHARES = {"machines": 1024, "builds": 256}
"""Shares of CPU between the classes; the platform's own processes have the system's 1024."""


@dataclass(frozen=True)
class Limits:
    """From the package: MiB, SDC's cpu_shares, percent of one core (0 = none), tasks."""

    memory_mib: int
    swap_mib: int
    cpu_shares: int
    cpu_cap: int
    lwps: int


def hierarchies(mount: Path = MOUNT) -> dict[str, Path]:
    """Folders in which a machine's cgroup is made, by controller; `{"": root}` for v2."""
    if (mount / "cgroup.controllers").exists():
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
        # cpu.weight 1–10000 has its default at 100, as cpu_shares has.
        return {
            "": {
                "memory.max": str(memory),
                "memory.swap.max": str(max(0, limits.swap_mib - limits.memory_mib) * _MIB),
                "memory.oom.group": "0",
                "cpu.weight": str(min(10_000, max(1, limits.cpu_shares))),
                "cpu.max": f"{quota if quota else 'max'} {_PERIOD_US}",
                "pids.max": str(limits.lwps),
            }
        }
    return {
        "memory": {
            "memory.limit_in_bytes": str(memory),
            "memory.memsw.limit_in_bytes": str(max(limits.swap_mib, limits.memory_mib) * _MIB),
        },
        "cpu": {
            "cpu.shares": str(min(262_144, max(2, limits.cpu_shares * 1024 // 100))),
            "cpu.cfs_period_us": str(_PERIOD_US),
            "cpu.cfs_quota_us": str(quota if quota else -1),
        },
        "pids": {"pids.max": str(limits.lwps)},
    }


def make(path: str, limits: Limits, mount: Path = MOUNT) -> None:
    """Make the machine's cgroup with its limits. Repeatable."""
    roots = hierarchies(mount)
    for root in roots.values():
        folder = root / path.strip("/")
        for child in ("conmon", "zone"):
            (folder / child).mkdir(parents=True, exist_ok=True)
        if "" in roots:
            _delegate(root, folder)
    apply(path, limits, mount)
    _share(path, mount)


def apply(path: str, limits: Limits, mount: Path = MOUNT) -> None:
    """Write the limits; live for a machine that runs."""
    roots = hierarchies(mount)
    for controller, files in limit_files(limits, v2="" in roots).items():
        if controller in roots:
            _write_all(roots[controller] / path.strip("/"), files)


def enter(path: str, pid: int, mount: Path = MOUNT) -> None:
    """Move a process (conmon, before it starts the zone) into the machine's cgroup."""
    for root in hierarchies(mount).values():
        (root / path.strip("/") / "conmon" / "cgroup.procs").write_text(str(pid))


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


def remove(path: str, mount: Path = MOUNT, timeout_s: float = 2.0) -> None:
    """Remove the machine's cgroup from every hierarchy, also those that the runtime made.

    A cgroup stays busy for a moment after its last process is gone; raises OSError(EBUSY) when that
    takes longer than `timeout_s`. Repeatable.
    """
    deadline = time.monotonic() + timeout_s
    folders = (root / path.strip("/") for root in _all_hierarchies(mount))
    for folder in folders:
        while not _remove_tree(folder):
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, f"the cgroup {folder} still has processes")
            time.sleep(0.002)  # The kernel has no event for "not busy any more" on v1.


def names(installation: str, kind: str, mount: Path = MOUNT) -> set[str]:
    """The uuids that have a cgroup in any hierarchy; for sweeping."""
    found: set[str] = set()
    for root in _all_hierarchies(mount):
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


def _all_hierarchies(mount: Path) -> list[Path]:
    if (mount / "cgroup.controllers").exists():
        return [mount]
    return [folder for folder in mount.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _remove_tree(folder: Path) -> bool:
    if not folder.is_dir():
        return True
    for base, folders, _ in os.walk(folder, topdown=False):
        for child in folders:
            with contextlib.suppress(OSError):
                (Path(base) / child).rmdir()
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


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
        if path.exists() and "swap" not in file and "memsw" not in file:
            path.write_text(value)


def _delegate(root: Path, folder: Path) -> None:
    wanted = "+memory +cpu +pids"
    for ancestor in [*reversed(folder.relative_to(root).parents), folder.relative_to(root)]:
        (root / ancestor / "cgroup.subtree_control").write_text(wanted)


def _share(path: str, mount: Path) -> None:
    kind = path.strip("/").split("/")[1]
    shares = CLASS_SHARES.get(kind, 1024)
    roots = hierarchies(mount)
    parent = str(Path(path.strip("/")).parent)
    if "" in roots:
        (roots[""] / parent / "cpu.weight").write_text(str(max(1, shares * 100 // 1024)))
    elif "cpu" in roots:
        (roots["cpu"] / parent / "cpu.shares").write_text(str(shares))
