"""The platform's processes on this host, found in /proc: nothing of ours has to answer."""

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from paas.settings import Settings

HOLDER = "paas.supervisor.holder"
MODULES = (
    HOLDER,
    "paas.supervisor.launch",
    "paas.node.server",
    "paas.control",
    "gitserver.jobserver",
    "router.keeper",
    "router.worker",
)
CGROUPS = Path("/sys/fs/cgroup")
CLASSES = {"platform", "machines", "runs", "builds"}
KILL_TIMEOUT_S = 10.0


def platform_pid(settings: Settings) -> int | None:
    """The supervisor of the installation, when it runs."""
    from paas.host import identity

    owner = identity.owner(settings)
    return owner.pid if owner else None


def port_holder(port: int) -> str:
    """`nginx (process 123): nginx -g …` for who listens on the port; empty when nobody is seen."""
    from paas.host import sockets

    return sockets.holder(port)


def platform_processes(settings: Settings) -> list[int]:
    """Node, control, router and their children's launchers of this installation.

    Told by module and by the installation in their environment; a tenant's process has neither
    this user nor this view of /proc.
    """
    return [pid for pid in _running(settings, MODULES) if pid != os.getpid()]


def running(settings: Settings, module: str) -> list[int]:
    """The installation's processes that run the module; not their children, which may look alike
    until they are another program."""
    found = set(_running(settings, (module,)))
    return sorted(pid for pid in found if not found & set(ancestors(pid)))


def ancestors(pid: int) -> list[int]:
    """The parent first: proc(5), stat, field 4."""
    found: list[int] = []
    while pid > 1:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def _running(settings: Settings, modules: Iterable[str]) -> list[int]:
    wanted = f"PAAS_INSTALLATION={settings.installation}".encode()
    names = {module.encode() for module in modules}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if names & set(words) and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def machine_processes(settings: Settings, mount: Path = CGROUPS) -> list[int]:
    """conmon and everything in zones: what is in the installation's cgroups."""
    found: set[int] = set()
    for folder in cgroup_folders(settings, mount):
        for base, _, files in os.walk(folder):
            if "cgroup.procs" in files:
                with suppress(OSError):
                    found |= {int(pid) for pid in Path(base, "cgroup.procs").read_text().split()}
    return sorted(found - {0, os.getpid()})


def cgroup_folders(settings: Settings, mount: Path = CGROUPS) -> list[Path]:
    """`<controller>/<installation>` in each hierarchy, version 1 and 2."""
    roots = [mount, *(path for path in mount.glob("*") if path.is_dir() and not path.is_symlink())]
    folders = [root / settings.installation for root in roots]
    return [folder for folder in folders if _is_ours(folder)]


def _is_ours(folder: Path) -> bool:
    """An installation may bear the name of somebody else's cgroup (`docker`): look inside."""
    if not (folder / "cgroup.procs").exists():
        return False
    inside = {path.name for path in folder.iterdir() if path.is_dir()}
    return bool(inside) and inside <= CLASSES


def end(
    pids: Iterable[int], number: int = signal.SIGKILL, timeout_s: float = KILL_TIMEOUT_S
) -> bool:
    """Signal processes and wait until they are gone (pidfd_open(2)); False when some stay."""
    deadline = time.monotonic() + timeout_s
    descriptors = []
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptors.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(descriptors[-1], number)
    try:
        return all(_gone(descriptor, deadline) for descriptor in descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _gone(descriptor: int, deadline: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
