"""An app's log as it grows.

By polling, five times a second: inotify allows 128 instances a user, which as many `paas logs -t`
would use up, and can't watch a file that does not exist yet; a poll costs one fstat a file.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paas.logs.files import (
    Machine,
    Source,
    after_hole,
    last_lines,
    open_to_read,
    read_range,
    sources,
)
from paas.logs.line import Assembler, Filter, LogLine, OwnLines, now_line
from paas.logs.merge import merge
from paas.settings import Settings

POLL_S = 0.2
READ_BYTES_MAX = 1024 * 1024
"""So much of one file is read in one poll."""
BEHIND_BYTES_MAX = 64 * 1024 * 1024
"""A reader that is further behind loses lines, and is told so (Heroku's L10)."""
FAREWELL_S = 10.0
"""So long a machine that is gone is still listened to: its last words."""


async def follow(
    settings: Settings,
    app_id: str,
    machines: Callable[[], Sequence[Machine]],
    lines: int = 100,
    only: Filter | None = None,
) -> AsyncGenerator[list[LogLine], None]:
    """First the newest `lines` lines (maybe none), then for ever what is added, a batch a poll.

    `machines` is asked at each poll, so that instances may come and go. No line is given twice and
    none is left out where the two parts meet.
    """
    follower = Follower(settings, app_id, only or Filter())
    try:
        yield await asyncio.to_thread(follower.start, machines(), lines)
        while True:
            await asyncio.sleep(POLL_S)
            batch = follower.poll(machines())
            if batch:
                yield batch
    finally:
        follower.close()


class Follower:
    """The files of one app's log. Its methods block as reading files does."""

    def __init__(self, settings: Settings, app_id: str, only: Filter) -> None:
        self._settings, self._app_id, self._only = settings, app_id, only
        self._tails: dict[Path, Tail] = {}

    @property
    def is_behind(self) -> bool:
        """Whether more is there than one poll reads."""
        return any(tail.is_behind for tail in self._tails.values())

    def start(self, machines: Sequence[Machine], lines: int) -> list[LogLine]:
        """The newest of what is there now; `poll` goes on exactly behind them."""
        self._renew(machines)
        first = [tail.start(lines) for tail in self._tails.values()]
        return merge(first)[-lines:] if lines else []

    def poll(self, machines: Sequence[Machine]) -> list[LogLine]:
        """What was added since."""
        self._renew(machines)
        return merge([tail.poll() for tail in self._tails.values()])

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    def _renew(self, machines: Sequence[Machine]) -> None:
        """Begin with files that are new; end with those that nobody named for a while."""
        now = time.monotonic()
        for source in sources(self._settings, self._app_id, machines, self._only):
            tail = self._tails.setdefault(source.path, Tail(source, self._only))
            tail.named_at = now
        for path, tail in list(self._tails.items()):
            if now - tail.named_at > FAREWELL_S:
                self._tails.pop(path).close()


@dataclass
class Tail:
    """One file, read from `offset` on. It may not exist yet, be replaced, or be truncated."""

    source: Source
    only: Filter
    descriptor: int | None = None
    offset: int = 0
    inside_line: bool = False
    """The line at `offset` has lost its beginning: what follows must not be taken for a line."""
    is_behind: bool = False
    named_at: float = field(default_factory=time.monotonic)
    assembler: Assembler | OwnLines = field(init=False)

    def __post_init__(self) -> None:
        self.assembler = self.source.assembler()

    def start(self, count: int) -> list[LogLine]:
        """The last lines of what is there now; `poll` goes on exactly behind them."""
        self.descriptor = open_to_read(self.source.path)
        if self.descriptor is None:
            return []
        self.offset = _end_of_last_line(self.descriptor)
        return last_lines(self.descriptor, self.offset, count, self.source, self.only)

    def poll(self) -> list[LogLine]:
        if self.descriptor is None:
            self.descriptor, self.offset = open_to_read(self.source.path), 0
            self.inside_line = False
        if self.descriptor is None:
            return []
        # Asked first: what its writer added until it was replaced is read before it is let go. An
        # unfinished line stays in the assembler: conmon goes on with it in the new file.
        before, replaced = self.offset, self._is_replaced(self.descriptor)
        lines = self._added(self.descriptor)
        if replaced and self.offset == before:
            self.close()
        return lines

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _added(self, descriptor: int) -> list[LogLine]:
        size = os.fstat(descriptor).st_size
        if size < self.offset:
            self.offset, self.inside_line = 0, False
        lost = self._skip_when_behind(size)
        data = read_range(descriptor, self.offset, min(size, self.offset + READ_BYTES_MAX))
        self.is_behind = size - self.offset > READ_BYTES_MAX
        end = data.rfind(b"\n") + 1
        if not end and len(data) == READ_BYTES_MAX:
            self.offset, self.inside_line = self.offset + len(data), True
            return lost
        self.offset += end
        raw_lines = after_hole(data[:end]).split(b"\n")
        if end and self.inside_line:
            raw_lines, self.inside_line = raw_lines[1:], False
        found = [line for raw in raw_lines for line in self.assembler.feed(raw)]
        return lost + [line for line in found if self._accepts(line)]

    def _skip_when_behind(self, size: int) -> list[LogLine]:
        behind = size - self.offset
        if behind <= BEHIND_BYTES_MAX:
            return []
        self.offset, self.inside_line = size - READ_BYTES_MAX, True
        text = f"Error L10 (output buffer overflow): {behind - READ_BYTES_MAX} bytes dropped"
        line = now_line(time.time_ns(), "heroku", "logplex", text)
        return [line] if self._accepts(line) else []

    def _is_replaced(self, descriptor: int) -> bool:
        try:
            there = self.source.path.lstat()
        except OSError:
            return False
        return there.st_ino != os.fstat(descriptor).st_ino

    def _accepts(self, line: LogLine) -> bool:
        return self.only.takes(line)


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    tail = read_range(descriptor, max(0, end - READ_BYTES_MAX), end)
    return end - (len(tail) - tail.rfind(b"\n") - 1)
