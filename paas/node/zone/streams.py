"""The standard streams of a process in a zone: pipes, which are given to the zone's user.

A program that opens /dev/stdout, /dev/stderr or /dev/fd/1 opens the pipe anew, as its own user
(proc(5)): one that root of the host made is closed to it. Only pipes without a name are given away,
never a terminal, a file or a named pipe of the caller's.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def give_of_process(pid: int, uid: int, gid: int) -> None:
    """Those of a zone's first process, which waits for its start: no tenant's code runs yet."""
    with suppress(FileNotFoundError, ProcessLookupError):
        _give((Path(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)), uid, gid)


def give(descriptors: Iterable[int], uid: int, gid: int) -> None:
    """Those that a process in a zone is about to get."""
    _give(descriptors, uid, gid)


def _give(streams: Iterable[int | Path], uid: int, gid: int) -> None:
    pipes = _pipe_device()
    for stream in streams:
        found = os.stat(stream)  # noqa: PTH116 (also of a number)
        if stat.S_ISFIFO(found.st_mode) and found.st_dev == pipes:
            os.chown(stream, uid, gid)


def _pipe_device() -> int:
    """Where the kernel keeps pipes without a name; a named one lies on a disk."""
    reading, writing = os.pipe()
    try:
        return os.fstat(reading).st_dev
    finally:
        os.close(reading)
        os.close(writing)
