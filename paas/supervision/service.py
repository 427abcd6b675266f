"""One process of the platform, started again whenever it ends, until it is told to stop."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paas import launch

STOP_TIMEOUT_S = 15.0
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 10.0
ATTEMPTS_MAX = 4
"""So often a process may end before the first is ready; then the platform can't start."""
STEADY_AFTER_S = 5.0
"""A process that ran this long is started again without a growing pause."""

Say = Callable[[str], None]


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
    try:
        process = await _start(running)
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
    high = fcntl.fcntl(writing, fcntl.F_DUPFD, launch.HIGH_DESCRIPTOR)
    os.close(writing)
    return reading, high


def _note_ready(running: Running, reading: int) -> None:
    asyncio.get_running_loop().remove_reader(reading)
    if os.read(reading, 1):
        running.ready.set()
    os.close(reading)


async def _ended_or_stopped(running: Running, process: asyncio.subprocess.Process) -> int | None:
    """The exit status, or None when the process was ended because of `running.stop`."""
    ended = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(running.stop.wait())
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.stop.is_set():
        return ended.result()
    await _terminate(process, ended)
    return None


async def _terminate(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    done, _ = await asyncio.wait({ended}, timeout=STOP_TIMEOUT_S)
    if not done:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ended


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
