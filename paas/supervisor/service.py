"""One process of the platform, started again whenever it ends, until it is told to stop.

It may have been running already: what a killed supervisor left is adopted, undisturbed.
"""

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from paas.host import handed
from paas.system.descriptors import readable

STOP_TIMEOUT_S = 15.0
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 10.0
ATTEMPTS_MAX = 4
"""So often a process may end before the first is ready; then the platform can't start."""
UNSEEN = 256
"""No exit status: that of a process that was not started here."""
STEADY_AFTER_S = 5.0
"""A process that ran this long is started again without a growing pause."""

Say = Callable[[str], None]


class Process(Protocol):
    """What a service's process is to its keeper."""

    async def wait(self) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True)
class Service:
    """How a process is started: its command and the descriptors that it inherits."""

    name: str
    command: list[str]
    environment: dict[str, str]
    descriptors: tuple[int, ...] = ()


@dataclass
class Running:
    """A service and its state. `ready` is set when its process said that it serves.

    `failed` is set when several processes in a row ended before one was ready for the first time.
    """

    service: Service
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    adopted: "Adopted | None" = None
    """The process that runs already, until it ends."""

    def adopt(self, pid: int) -> None:
        """Keep this process, which another supervisor started. Raises ProcessLookupError."""
        self.adopted = Adopted(pid)
        self.ready.set()


class Adopted:
    """A process that is no child of this one. Its end is seen (pidfd_open(2)), its status not."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    async def wait(self) -> int:
        await readable(self._descriptor)
        os.close(self._descriptor)
        return UNSEEN

    def terminate(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)

    def kill(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


async def keep(running: Running, say: Say) -> None:
    """Keep the service's process running until `running.stop`."""
    pause_s = PAUSE_MIN_S
    for attempt in itertools.count(1):
        if running.stop.is_set():
            return
        started = time.monotonic()
        end = await _run(running)
        if end is None:
            return
        pause_s = PAUSE_MIN_S if time.monotonic() - started > STEADY_AFTER_S else pause_s
        say(f" !     {running.service.name} ended: {end}; starting it again")
        if attempt >= ATTEMPTS_MAX and not running.ready.is_set():
            running.failed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await running.stop.wait()
        pause_s = min(pause_s * 2, PAUSE_MAX_S)


async def _run(running: Running) -> str | None:
    """How the process ended; None when it was ended because of `running.stop`."""
    process: Process | None = running.adopted
    running.adopted = None
    try:
        process = process or await _start(running)
    except OSError as error:
        return str(error)
    status = await _ended_or_stopped(running, process)
    return None if status is None else _describe(status)


async def _start(running: Running) -> asyncio.subprocess.Process:
    service = running.service
    reading, ready_fd = _ready_pipe()
    environment = service.environment | {"PAAS_READY_FD": str(ready_fd)}
    try:
        process = await asyncio.create_subprocess_exec(
            *service.command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(*service.descriptors, ready_fd),
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(ready_fd)
    asyncio.get_running_loop().add_reader(reading, _note_ready, running, reading)
    return process


def _ready_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    high = fcntl.fcntl(writing, fcntl.F_DUPFD, handed.HIGH_DESCRIPTOR)
    os.close(writing)
    return reading, high


def _note_ready(running: Running, reading: int) -> None:
    asyncio.get_running_loop().remove_reader(reading)
    if os.read(reading, 1):
        running.ready.set()
    os.close(reading)


async def _ended_or_stopped(running: Running, process: Process) -> int | None:
    """The exit status, or None when the process was ended because of `running.stop`."""
    ended = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(running.stop.wait())
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.stop.is_set():
        return ended.result()
    await _terminate(process, ended)
    return None


async def _terminate(process: Process, ended: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    done, _ = await asyncio.wait({ended}, timeout=STOP_TIMEOUT_S)
    if not done:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ended


def _describe(status: int) -> str:
    if status == UNSEEN:
        return "its status is not known, an earlier supervisor started it"
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
