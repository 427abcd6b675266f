"""Workers of a keeper that was killed: they finish what they have in flight.

The next keeper must know of them. Their list is on disk; a process is recognised by its number and
the time it started, and its end is an event of its pidfd (pidfd_open(2)).
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from router.keeper import files
from router.keeper.files import FileError


class Orphans:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends: dict[int, asyncio.Future[None]] = {}

    def adopt(self) -> None:
        """Watch the workers that an earlier keeper left behind."""
        try:
            earlier = files.load(self._path) or []
        except FileError:
            return
        for pid, started in earlier:
            if _started(pid) == started:
                self._watch(pid)

    def remember(self, pids: list[int]) -> None:
        """Put the workers that live now on disk, for the keeper after this one.

        A disk that is full is no reason to serve nobody.
        """
        known = [(pid, _started(pid)) for pid in {*pids, *self._ends}]
        try:
            files.save(self._path, known)
        except OSError as error:
            print(f"paas-router: {self._path} can't be written: {error}", file=sys.stderr)

    async def gone(self, limit_s: float | None = None) -> None:
        """Wait until none is left, at most for `limit_s`."""
        if self._ends:
            await asyncio.wait(self._ends.values(), timeout=limit_s)

    def _watch(self, pid: int) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            self._ends[pid] = loop.create_future()
            loop.add_reader(descriptor, self._ended, pid, descriptor)

    def _ended(self, pid: int, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._ends.pop(pid).set_result(None)


def _started(pid: int) -> int | None:
    """When the process started, in clock ticks since boot: proc(5), stat, field 22."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
