"""How fast visitors give what is due of a body, and take what waits for them.

Judged by the kernel's own count of acknowledged bytes, once a second and only where something is
due: the hot path knows nothing of it, TLS and spliced bodies are counted alike, and a slow line is
told from a visitor that does not read. A stream that says little (SSE, WebSocket) owes nothing: all
that waited is taken between two looks.
"""

import fcntl
import socket
import struct
import termios
from dataclasses import dataclass
from typing import Final

from router.memory.limits import Limits
from router.traffic import phases
from router.traffic.visit import Visit, WorkerState

LOOK_INTERVAL_S: Final = 1.0
_INFO_BYTES: Final = 136
_COUNTS_AT: Final = 120
"""Of tcpi_bytes_acked and tcpi_bytes_received in struct tcp_info (<linux/tcp.h>)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What was known when the visitor last was in time. `goal`: all that waited is taken then."""

    gives: bool
    since: float
    moved: int
    goal: int


class Pace:
    """Remembers those that owe something."""

    def __init__(self, state: WorkerState) -> None:
        self._state = state
        self._looked = 0.0
        self._marks: dict[Visit, Mark] = {}

    def late(self) -> list[Visit]:
        """Who is too slow. Looks at most once in LOOK_INTERVAL_S."""
        now = self._state.now
        if now - self._looked < LOOK_INTERVAL_S:
            return []
        recent, self._looked = self._looked - LOOK_INTERVAL_S, now
        marks, self._marks = self._marks, {}
        late = []
        for visit in self._state.visits:
            if not (is_answered(visit) or _is_to_give(visit)):
                continue
            if visit.active < recent and visit not in marks:
                continue
            mark = self._look(visit, marks.get(visit))
            if mark is None:
                continue
            self._marks[visit] = mark
            if now - mark.since > _patience_s(visit, mark.gives, self._state.limits):
                late.append(visit)
        return late

    def _look(self, visit: Visit, before: Mark | None) -> Mark | None:
        """The visitor's mark: a new one when it was in time, none when nothing is due."""
        waiting = waiting_bytes(visit)
        if not waiting and not _is_to_give(visit):
            return None
        counts = _counts(visit)
        if counts is None:
            return None
        acked, received = counts
        gives = not waiting
        moved = received if gives else acked
        now = self._state.now
        if before is not None and before.gives == gives:
            limits = self._state.limits
            rate = limits.upload_rate if gives else limits.download_rate
            if not is_in_time(before, moved, now, rate):
                return before
        if waiting:
            visit.active = now
        return Mark(gives, now, moved, acked + waiting)


def is_in_time(before: Mark, moved: int, now: float, rate: int) -> bool:
    """Fast enough since the mark; or nothing is left of what waited then."""
    if not before.gives and moved >= before.goal:
        return True
    return moved > before.moved and moved - before.moved >= rate * (now - before.since)


def is_answered(visit: Visit) -> bool:
    """Its answer has begun, and is not known to be taken."""
    if visit.phase is phases.HEAD:
        return False
    return visit.responding or visit.phase is phases.LINGER


def waiting_bytes(visit: Visit) -> int:
    """Written for the visitor, and not acknowledged by its kernel."""
    if visit.phase is phases.CLOSED:
        return 0
    buffered = visit.transport.get_write_buffer_size()
    try:
        answer = fcntl.ioctl(_descriptor(visit), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return buffered
    return buffered + int(struct.unpack("i", answer)[0])


def _is_to_give(visit: Visit) -> bool:
    """A body is due and read. Where its answer has begun, both ends may take their time."""
    return visit.phase is phases.BODY and visit.reading and not visit.responding


def _patience_s(visit: Visit, gives: bool, limits: Limits) -> float:
    """Who asked whether to send at all (Expect) may wait for the app's word."""
    if gives and b"100-continue" not in visit.block.lower():
        return limits.upload_s
    return limits.idle_s


def _counts(visit: Visit) -> tuple[int, int] | None:
    """Bytes that were acknowledged by the visitor's kernel, and received from it."""
    try:
        info = visit.transport.get_extra_info("socket").getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES
        )
    except OSError:
        return None
    return struct.unpack_from("=QQ", info, _COUNTS_AT) if len(info) >= _INFO_BYTES else None


def _descriptor(visit: Visit) -> int:
    return int(visit.transport.get_extra_info("socket").fileno())
