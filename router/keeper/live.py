"""Live counts: what each app did in the last second, for the console and for scaling. Pure.

    counts = LiveCounts(readings, histogram)      from what it counts
    counts.update(readings) → {app id: counts}    since the update before

Counts are `requests`, `errors` (5xx), `p50`, `p95`, `p99`, and, of this moment, `in_flight` and
`queued`. Only apps in which something happened, or is happening, are named. Percentiles are in
milliseconds, and left out where no request ended.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from router.keeper import metrics
from router.memory import counters


class Reading(NamedTuple):
    """An app's counters now. `slot` tells an app from one that had its counters before."""

    id: str
    slot: int
    requests: int
    server_errors: int
    in_flight: int
    queued: int


@dataclass(frozen=True, slots=True)
class _Seen:
    reading: Reading
    histogram: Sequence[int]


class LiveCounts:
    """`histogram` reads the one of a slot: only of apps that answered something since."""

    def __init__(
        self, readings: Iterable[Reading], histogram: Callable[[int], Sequence[int]]
    ) -> None:
        self._histogram = histogram
        self._seen = {each[:2]: _Seen(each, histogram(each.slot)) for each in readings}

    def update(self, readings: Iterable[Reading]) -> dict[str, dict[str, Any]]:
        """What changed since the update before."""
        seen, self._seen = self._seen, {}
        said = {}
        for now in readings:
            before = seen.get(now[:2])
            if before is not None and now == before.reading and not (now.in_flight or now.queued):
                self._seen[now[:2]] = before
                continue
            said[now.id], self._seen[now[:2]] = self._change(now, before)
        return said

    def _change(self, now: Reading, before: _Seen | None) -> tuple[dict[str, Any], _Seen]:
        if before is None:
            before = _Seen(Reading(now.id, now.slot, 0, 0, 0, 0), [0] * counters.BUCKETS)
        old, histogram = before.reading, before.histogram
        if now.requests != old.requests:
            histogram = self._histogram(now.slot)
        pairs = zip(histogram, before.histogram, strict=True)
        counts = {
            "requests": max(now.requests - old.requests, 0),
            "errors": max(now.server_errors - old.server_errors, 0),
            **metrics.percentiles_ms([max(new - was, 0) for new, was in pairs]),
            "in_flight": now.in_flight,
            "queued": now.queued,
        }
        return counts, _Seen(now, histogram)
