"""Processes, by their numbers: starting one with given descriptors, and its end as an event."""

import asyncio
import fcntl
import os
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from paas.system.descriptors import readable


async def first_of(wanted: Coroutine[Any, Any, None], otherwise: Coroutine[Any, Any, None]) -> bool:
    """Wait for either, and leave the other; whether what was wanted has come."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(otherwise)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def spawn(
    argv: list[str],
    inherited: Sequence[int],
    environment: Mapping[str, str],
    terminal: str | None = None,
) -> int:
    """Start a program in a session of its own with `inherited` as its descriptors 0, 1, 2, …

    `terminal` is the path of one that becomes the session's: who leads a session gets the first
    terminal that it opens (tty_ioctl(4)). It is its descriptor 0, instead of the first inherited.
    """
    # Out of the way of the numbers they get, so that no dup2 overwrites a source.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in inherited]
    try:
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_DUP2, source, number) for number, source in enumerate(high)
        ]
        if terminal is not None:
            actions[0] = (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0)
        return os.posix_spawn(
            argv[0],
            argv,
            dict(environment),
            file_actions=actions,
            setsid=True,
            setsigmask=[],
        )
    finally:
        for descriptor in high:
            os.close(descriptor)


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at the process's start (proc(5), stat field 22); None when gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


async def wait_exit(pid: int) -> None:
    """Return when the process, not necessarily a child, has ended (pidfd_open(2))."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)


async def wait_child(pid: int) -> int:
    """Wait for a child of ours; its exit code as Python has it (negative for a signal)."""
    await wait_exit(pid)
    _, status = os.waitpid(pid, 0)  # noqa: ASYNC222 (it has ended: this only collects it)
    return os.waitstatus_to_exitcode(status)
