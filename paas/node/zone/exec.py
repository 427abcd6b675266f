"""A further process in a running zone, on the caller's own descriptors (`runc exec`)."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paas.node.errors import StartFailed
from paas.node.protocol import ExitStatus
from paas.node.zone import conmon
from paas.system.processes import spawn, wait_child, wait_exit

_COLLECT_TIMEOUT_S = 2.0
_KILL_TIMEOUT_S = 5.0
_START_TIMEOUT_S = 15.0


async def execute(
    paths: conmon.Paths,
    process: Mapping[str, Any],
    descriptors: Sequence[int],
    hang_up_s: float = 0.0,
) -> ExitStatus:
    """Run `process` (OCI) to its end. Cancelled, it kills the process and its children first.

    With `hang_up_s` these get SIGHUP before, and so long to end. A process with a terminal of its
    own gets it by the descriptors, which are a terminal as well: the runtime carries the bytes from
    one to the other, and the size, as long as it runs.
    The runtime's own complaints (no such command: status 127) go to the process's standard error.
    """
    terminal = os.ttyname(descriptors[0]) if process["terminal"] else None
    with tempfile.TemporaryDirectory(prefix="exec-", dir=paths.folder) as name:
        folder = Path(name)
        # mkdtemp made the folder 0700: the environment in this file is the tenant's secret.
        (folder / "process.json").write_text(json.dumps(process))
        pid_file = folder / "pid"
        argv = conmon.runtime_argv(
            paths,
            "exec",
            *("--process", str(folder / "process.json"), "--pid-file", str(pid_file)),
            paths.uuid,
        )
        runtime = spawn(argv, descriptors, {"PATH": os.defpath}, terminal)
        try:
            status = await _wait(runtime, pid_file)
        except BaseException:
            # In a task of its own: Python 3.11 sees no timeout in one that is being cancelled.
            await asyncio.create_task(_end(pid_file, runtime, hang_up_s))
            raise
    return _exit_status(status)


def end_left(folder: Path, members: Sequence[int]) -> None:
    """Kill what a killed node ran in a zone that goes on, and its folders in the run folder.

    `members`: the zone's processes; a number that was used again is none of them.
    """
    for left in folder.glob("exec-*"):
        with contextlib.suppress(OSError, ValueError):
            for pid in set(_named(left / "pid")) & set(members):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(left, ignore_errors=True)


async def end_runtime(runtime: int) -> None:
    """End a `runc exec` that a killed node left: what it runs first, for it to collect."""
    for pid in _family(runtime)[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        async with asyncio.timeout(_COLLECT_TIMEOUT_S):
            await wait_exit(runtime)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(runtime, signal.SIGKILL)
        await wait_exit(runtime)


async def _wait(runtime: int, pid_file: Path) -> int:
    """The runtime's status. In a zone without room for a process it hangs: raises StartFailed."""
    child = asyncio.ensure_future(wait_child(runtime))
    try:
        done, _ = await asyncio.wait({child}, timeout=_START_TIMEOUT_S)
        if not done and not await asyncio.to_thread(pid_file.exists):
            raise StartFailed(
                f"the command did not start in {_START_TIMEOUT_S:.0f} s: "
                "the machine may have no processes (max_lwps) or memory left"
            )
        return await child
    finally:
        child.cancel()
        await asyncio.gather(child, return_exceptions=True)


def _exit_status(status: int) -> ExitStatus:
    """runc ends with 128 + signal after a signal killed the process, 255 for its own trouble."""
    if status < 0:
        return ExitStatus(128 - status, -status)
    if 128 < status < 128 + signal.NSIG:
        return ExitStatus(status, status - 128)
    return ExitStatus(status)


async def _end(pid_file: Path, runtime: int, hang_up_s: float) -> None:
    if not (hang_up_s and await _hung_up(pid_file, runtime, hang_up_s)):
        await _kill(pid_file, runtime)


async def _hung_up(pid_file: Path, runtime: int, patience_s: float) -> bool:
    """Send SIGHUP, as a terminal does whose user is gone; whether the process has ended by it."""
    _signal(pid_file, runtime, signal.SIGHUP)
    return await _collected(runtime, patience_s)


async def _kill(pid_file: Path, runtime: int) -> None:
    """The process first, then the runtime, which collects it.

    A zone can't end before the host has collected each process that came from outside
    (pid_namespaces(7)), and the first process of a host that is a container may never do so.
    """
    _signal(pid_file, runtime, signal.SIGKILL)
    started = await asyncio.to_thread(pid_file.exists)
    if started and await _collected(runtime, _COLLECT_TIMEOUT_S):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(runtime, signal.SIGKILL)
    await _collected(runtime, _KILL_TIMEOUT_S)


def _signal(pid_file: Path, runtime: int, number: int) -> None:
    """To the process and its children. It may be at work before the runtime has written its pid:
    what the runtime has started by then is the process, or on its way to it."""
    try:
        found = _named(pid_file)
    except (OSError, ValueError):
        found = _family(runtime)[1:]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _collected(runtime: int, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await wait_child(runtime)
    except TimeoutError:
        return False
    except ChildProcessError:
        return True
    return True


def _named(pid_file: Path) -> list[int]:
    """The process in the file and its descendants. Raises OSError, ValueError."""
    return _family(int(pid_file.read_text()))


def _family(pid: int) -> list[int]:
    """The process and its descendants, by /proc/<pid>/task/<tid>/children; parents first."""
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                family += [int(child) for child in children.read_text().split()]
    return family
