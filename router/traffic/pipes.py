"""The pipes of a worker, through which large bodies go: so many at once, and some kept."""

import fcntl
import os
from typing import Final

PIPE_BYTES: Final = 256 * 1024
PIPES_MAX: Final = 32
"""A quarter of the pages that the kernel lets all pipes of a user have by default, in 2 workers."""
PIPES_KEPT: Final = 8


class Pipes:
    """The pipes of a worker: so many at once, and some kept for the next."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, int]] = []
        self._taken = 0

    def take(self) -> tuple[int, int] | None:
        """An empty pipe, both ends; None where there is none to have."""
        if self._taken >= PIPES_MAX:
            return None
        pipe = self._kept.pop() if self._kept else _new_pipe()
        self._taken += pipe is not None
        return pipe

    def give(self, pipe: tuple[int, int], empty: bool) -> None:
        """Back from a transfer. What was left in it must never reach another visitor."""
        self._taken -= 1
        if empty and len(self._kept) < PIPES_KEPT:
            self._kept.append(pipe)
        else:
            _close(pipe)


def _new_pipe() -> tuple[int, int] | None:
    try:
        pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:  # the user has as many pages in pipes as may be
        _close(pipe)
        return None
    return pipe


def _close(pipe: tuple[int, int]) -> None:
    for descriptor in pipe:
        os.close(descriptor)
