"""One bell a worker: rung by another one when a place is free for which it has the oldest request.

An eventfd each, made by the keeper and handed to all workers, so that no worker has to look again
and again whether a place has come free elsewhere.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from router.memory.counters import ROWS


@dataclass(frozen=True, slots=True)
class Bells:
    """The descriptors by row."""

    descriptors: Sequence[int] = ()

    def ring(self, row: int) -> None:
        if row < len(self.descriptors):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_write(self.descriptors[row], 1)

    def heard(self, row: int) -> None:
        """Make the bell of `row` quiet."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.descriptors[row])


SILENT = Bells()


def create() -> Bells:
    return Bells([os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(ROWS)])
