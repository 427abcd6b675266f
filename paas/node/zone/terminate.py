"""SIGTERM to every process of a zone; the zone lasts until the last of them has ended.

As Heroku does it: shells, pipes, children and workers are all told. A zone ends with its first
process, and the init ends with the command, while others may still be at work: so it is halted
(SIGSTOP) until they are done, and then collects them all. It never gets the signal itself, since it
would pass it on to who has had it.
"""

import asyncio
import os
import select
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from paas.node.zone import cgroups, conmon, init
from paas.system.processes import wait_exit

FILTER_TIMEOUT_S = 2.0
"""How long a filter may take from the end of its input until its own."""


async def terminate(cgroup: str, zone: conmon.Holders) -> None:
    """Returns when all have ended, and the zone is about to. Cancelled, it lets go of the zone.

    Where the command is the first process itself, the zone ends with it.
    """
    if not init.is_init(zone.init):
        await asyncio.to_thread(cgroups.kill, cgroup, signal.SIGTERM)
        await conmon.terminate_late(zone)
        return
    conmon.signal_init(zone, signal.SIGSTOP)
    try:
        first, filters = await asyncio.to_thread(_in_order, cgroup, zone.init)
        _signal(first)
        if filters:
            await _ended(cgroup, {zone.init, *filters})
            # They may hold last words that they have not passed on: their input's end comes first.
            with suppress(TimeoutError):
                async with asyncio.timeout(FILTER_TIMEOUT_S):
                    await _ended(cgroup, {zone.init})
            _signal(filters)
        await _ended(cgroup, {zone.init})
    finally:
        resume(zone)


def resume(zone: conmon.Holders) -> None:
    """Let the init go on; also after a node was killed while it waited for the others."""
    conmon.signal_init(zone, signal.SIGCONT)


def _in_order(cgroup: str, first: int) -> tuple[list[int], list[int]]:
    """Who is told at once, and the filters (`node server.js | cat`): they end with their input.

    Told at once too, they would be gone before those that still write into them. A filter that
    handles SIGTERM knows what it does.
    """
    members = [pid for pid in cgroups.processes(cgroup) if pid != first]
    written = {pipe: pid for pid in members for pipe in _pipes(pid, (1, 2))}
    filters = [
        pid
        for pid in members
        if any(written.get(pipe, pid) != pid for pipe in _pipes(pid, (0,)))
        and conmon.catches(pid, signal.SIGTERM) is False
    ]
    return [pid for pid in members if pid not in filters], filters


def _pipes(pid: int, descriptors: Iterable[int]) -> set[str]:
    """Names of the pipes among a process's descriptors; nothing is opened."""
    found = set()
    for number in descriptors:
        with suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/fd/{number}").readlink()))
    return {name for name in found if name.startswith("pipe:")}


def _signal(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


async def _ended(cgroup: str, spared: set[int]) -> None:
    """Return when every other process of the zone has ended, also those that come meanwhile."""
    while True:
        members = await asyncio.to_thread(cgroups.processes, cgroup)
        living = [pid for pid in members if pid not in spared and not _has_ended(pid)]
        if not living:
            return
        for pid in living:
            await wait_exit(pid)


def _has_ended(pid: int) -> bool:
    """What nobody has collected yet may still be listed."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    finally:
        os.close(descriptor)
