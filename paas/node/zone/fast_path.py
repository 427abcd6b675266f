"""The node's watch over a machine's fast path: reports as they come, and a listener that breaks."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from paas.node.zone import listeners
from paas.node.zone.reports import Reader

_READ_BYTES = 8192
_BYTES_MAX_PER_S = 64 * 1024


def _ignore(*_: Any) -> None:
    return None


class Watch:
    """Holds both descriptors over all boots of a machine. Set `on_report` and `on_hang_up`."""

    def __init__(self, path: listeners.FastPath) -> None:
        self.on_report: Callable[[dict[str, Any]], None] = _ignore
        self.on_hang_up: Callable[[], None] = _ignore
        self._path = path
        self._reader = Reader()
        self._second, self._taken_bytes = 0, 0
        self._pause: asyncio.TimerHandle | None = None
        self._hang_up = listeners.hang_up_watch(path.listener)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(path.reports, self._read)
        self._loop.add_reader(self._hang_up, self._hung_up)

    @classmethod
    def adopt(cls, folder: Path, conmon: int) -> "Watch | None":
        """From the conmon of a zone that runs; None when the descriptors are lost."""
        path = listeners.take_back(folder, conmon)
        return cls(path) if path is not None else None

    def inodes(self) -> str:
        return self._path.inodes()

    def name(self) -> str:
        return self._path.name()

    def for_zone(self, folder: Path) -> list[int]:
        """Copies to hand into a zone that boots, as 3 and 4; old reports are thrown away first."""
        with suppress(BlockingIOError):
            while os.read(self._path.reports, _READ_BYTES):
                pass
        self._reader = Reader()
        return [os.dup(self._path.listener.fileno()), listeners.zone_end(folder)]

    def close(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._path.reports)
        self._stop_hang_up_watch()
        self._path.close()

    def _read(self) -> None:
        # One piece a turn of the loop: a zone that floods it shares the loop with the others.
        with suppress(BlockingIOError):
            data = os.read(self._path.reports, _READ_BYTES)
            self._count(len(data))
            for report in self._reader.feed(data, time.monotonic()):
                self.on_report(report)

    def _count(self, size_bytes: int) -> None:
        """A zone that floods is not read for a second: its FIFO is full then, and costs nothing."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken_bytes = second, 0
        self._taken_bytes += size_bytes
        if self._taken_bytes > _BYTES_MAX_PER_S:
            self._loop.remove_reader(self._path.reports)
            self._pause = self._loop.call_later(1.0, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._path.reports, self._read)

    def _hung_up(self) -> None:
        self._stop_hang_up_watch()
        self.on_hang_up()

    def _stop_hang_up_watch(self) -> None:
        if self._hang_up >= 0:
            self._loop.remove_reader(self._hang_up)
            os.close(self._hang_up)
            self._hang_up = -1
