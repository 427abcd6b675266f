"""The classes of work on a host, platform > machines > runs > builds: their cgroups and weights.

    <installation>/             before the host's other processes: they can't take what was sold
    <installation>/platform/    node, router, control and their children
    <installation>/machines/    <uuid>/ each; among them `cpu_shares` decide
    <installation>/runs/        <uuid>/ each: commands that people and release phases run once
    <installation>/builds/      <uuid>/ each: what the others leave, and a little on a full server

Weights count only where work waits; whoever sleeps leaves its part to the others. What one machine
gets is `paas.node.zone.cgroups`' matter.
"""

import contextlib
import os
import time
from pathlib import Path

from paas.node.words import BUILDS, MACHINES, RUNS, SHARES_PER_CORE

MOUNT = Path("/sys/fs/cgroup")
PLATFORM = "platform"
CPU_SHARES = {PLATFORM: 24576, MACHINES: 12288, RUNS: 4096, BUILDS: 512}
"""Among themselves. Beside builds machines keep 24 parts of 25, beside runs three of four. The
platform, which works for them and seldom needs much, comes first: were it busy on every core, it
would take two thirds."""
IO_WEIGHTS = {PLATFORM: 1000, MACHINES: 500, RUNS: 200, BUILDS: 50}
KINDS = (MACHINES, RUNS, BUILDS)
_HOST_FACTOR = 4
"""The installation beside one busy process of the host on a core: 4 parts of 5. With more, the
host's own wait too long, the kernel's threads among them, on which the node waits in turn (RCU,
workers): with zones that burn, nft takes 37 ms instead of 20 with 4, and 179 ms with 32."""
_SHARES_MAX, _WEIGHT_MAX, _BFQ_MAX = 262_144, 10_000, 1000
_PLATFORM_CONTROLLERS = ("cpu", "cpuacct")
_PATIENCE_S = 2.0


def is_v2(mount: Path = MOUNT) -> bool:
    return (mount / "cgroup.controllers").exists()


def weight(shares: int) -> int:
    """cgroup v2's weight for v1's shares: both kernels' default is one ordinary process."""
    return min(_WEIGHT_MAX, max(1, shares * 100 // SHARES_PER_CORE))


def io_files(io_weight: int, *, v2: bool) -> dict[str, str]:
    """Names of files and the weight in their units: of these there is the one that counts, or none.

    `io.weight` (v2) has the range 1–10000, bfq 1–1000, the older CFQ 10–1000; 100 is the default.
    """
    bfq = str(min(_BFQ_MAX, max(1, io_weight)))
    if v2:
        return {"io.weight": str(min(_WEIGHT_MAX, max(1, io_weight))), "io.bfq.weight": bfq}
    return {"blkio.bfq.weight": bfq, "blkio.weight": str(min(_BFQ_MAX, max(10, io_weight)))}


def weigh(installation: str, kind: str, mount: Path = MOUNT) -> None:
    """Make the class's cgroup and write its weights and the installation's. Repeatable.

    Raises OSError where cgroups can't be written; a controller that is absent has no weights.
    """
    if is_v2(mount):
        enable(mount, f"{installation}/{kind}", mount)
    cpu = mount if is_v2(mount) else mount / "cpu"
    io = mount if is_v2(mount) else mount / "blkio"
    whole = min(_SHARES_MAX, _HOST_FACTOR * SHARES_PER_CORE * (os.cpu_count() or 1))
    name = "cpu.weight" if is_v2(mount) else "cpu.shares"
    for folder, shares in ((installation, whole), (f"{installation}/{kind}", CPU_SHARES[kind])):
        if cpu.is_dir():
            (cpu / folder).mkdir(parents=True, exist_ok=True)
            value = weight(shares) if is_v2(mount) else shares
            (cpu / folder / name).write_text(str(value))
    if io.is_dir():
        (io / installation / kind).mkdir(parents=True, exist_ok=True)
        write_io(io / installation, _BFQ_MAX, v2=is_v2(mount))
        write_io(io / installation / kind, IO_WEIGHTS[kind], v2=is_v2(mount))


def write_io(folder: Path, io_weight: int, *, v2: bool) -> None:
    """The io weight, where this kernel has one."""
    for name, value in io_files(io_weight, v2=v2).items():
        if (folder / name).exists():
            with contextlib.suppress(OSError):
                (folder / name).write_text(value)


def enable(root: Path, folder: str, mount: Path = MOUNT) -> None:
    """cgroup v2: make the folder, with controllers for what is in the folders above it.

    Each controller by itself: one that is absent or not delegated keeps the others out otherwise.
    """
    (root / folder).mkdir(parents=True, exist_ok=True)
    there = (mount / "cgroup.controllers").read_text().split()
    for ancestor in reversed(Path(folder).parents):
        for controller in ("memory", "cpu", "pids", "io"):
            if controller in there:
                control = root / ancestor / "cgroup.subtree_control"
                try:
                    control.write_text(f"+{controller}")
                except OSError:
                    if controller != "io":
                        raise


def enter_platform(installation: str, mount: Path = MOUNT) -> str:
    """Move this process, and so all that it starts, to the platform's class.

    Returns why that could not be, or an empty text: the platform works without it as well, only
    with no more than an ordinary process's weight.
    """
    try:
        weigh(installation, PLATFORM, mount)
        for root in _platform_roots(mount):
            folder = root / installation / PLATFORM
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        return f"the platform's processes have no cgroup of their own: {error}"
    return ""


def prepare(installation: str, mount: Path = MOUNT) -> list[str]:
    """Weigh machines, runs and builds; what this host can't do, to be said once."""
    said = []
    try:
        for kind in KINDS:
            weigh(installation, kind, mount)
    except OSError as error:
        said.append(f"weights of machines, runs and builds can't be written: {error}")
    folder = (mount if is_v2(mount) else mount / "blkio") / installation / KINDS[0]
    if not any((folder / name).exists() for name in io_files(1, v2=is_v2(mount))):
        said.append("machines have no io weight: this kernel's cgroups offer none here")
    return said


def remove(installation: str, mount: Path = MOUNT) -> None:
    """Remove the classes' and the installation's cgroups once they are empty. Repeatable.

    One in which something still runs stays: the platform's own processes, of a node that ended
    alone.
    """
    deadline = time.monotonic() + _PATIENCE_S
    for whole in (root / installation for root in all_hierarchies(mount)):
        for folder in (*(whole / kind for kind in CPU_SHARES), whole):
            while not try_remove(folder) and time.monotonic() < deadline:
                time.sleep(0.002)  # The kernel has no event for "not busy any more" on v1.


def try_remove(folder: Path) -> bool:
    """Whether the cgroup is gone; one in which something still runs stays."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def all_hierarchies(mount: Path = MOUNT) -> list[Path]:
    """Also those in which the node makes nothing, but runc does."""
    if is_v2(mount):
        return [mount]
    return [folder for folder in mount.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _platform_roots(mount: Path) -> list[Path]:
    """v1: only where weights are. Its memory and its number of processes have no limit."""
    if is_v2(mount):
        return [mount]
    return [mount / name for name in _PLATFORM_CONTROLLERS if (mount / name).is_dir()]
