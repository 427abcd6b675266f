"""What waits for a drain: bounded, and what it had no room for is counted.

One thread puts in, another takes out. The oldest goes first: what happens now matters more.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from paas.logs.line import LogLine

LINES_MAX = 5_000
CHARACTERS_MAX = 4 * 1024 * 1024
_HEAD_CHARACTERS = 100


@dataclass(frozen=True)
class Batch:
    """Lines, before which `dropped` others were lost since then."""

    lines: tuple[LogLine, ...]
    dropped: int = 0
    since_ns: int = 0


class Buffer:
    def __init__(self, lines_max: int = LINES_MAX, characters_max: int = CHARACTERS_MAX) -> None:
        self.dropped = 0
        """Of all time."""
        self._lines: deque[LogLine] = deque()
        self._limits = lines_max, characters_max
        self._characters = 0
        self._unsaid, self._since_ns = 0, 0
        self._is_closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._lines)

    def put(self, lines: Sequence[LogLine]) -> None:
        """Never waits."""
        with self._changed:
            self._lines.extend(lines)
            self._characters += sum(map(_size, lines))
            lines_max, characters_max = self._limits
            while len(self._lines) > lines_max or self._characters > characters_max:
                lost = self._lines.popleft()
                self._characters -= _size(lost)
                self._count(1, lost.time_ns)
            self._changed.notify()

    def take(self, lines_max: int, characters_max: int) -> Batch | None:
        """Waits for lines. At least one, however long; None once it is closed."""
        with self._changed:
            while not self._lines and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            found, characters = list[LogLine](), 0
            while self._lines and len(found) < lines_max:
                characters += _size(self._lines[0])
                if found and characters > characters_max:
                    break
                found.append(self._lines.popleft())
                self._characters -= _size(found[-1])
            batch = Batch(tuple(found), self._unsaid, self._since_ns)
            self._unsaid = 0
            return batch

    def lose(self, batch: Batch) -> None:
        """One that was taken, and that nobody takes: the next one says so."""
        with self._changed:
            first_ns = batch.since_ns if batch.dropped else batch.lines[0].time_ns
            since_ns = min(self._since_ns, first_ns) if self._unsaid else first_ns
            self._count(len(batch.lines), since_ns)
            self._unsaid += batch.dropped
            self._since_ns = since_ns

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _count(self, lost: int, time_ns: int) -> None:
        if not self._unsaid:
            self._since_ns = time_ns
        self._unsaid += lost
        self.dropped += lost


def _size(line: LogLine) -> int:
    return len(line.text) + _HEAD_CHARACTERS
