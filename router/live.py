"""Live counts: what each app did in the last second, for the console and for scaling. Pure.

    pulse = Pulse(figures)          the figures from which it counts
    pulse.beat(figures)             → {app id: counts}, since the beat before

Counts are `requests`, `errors` (5xx), `p50`, `p95`, `p99`, and, of this moment, `in_flight` and
`queued`. Only apps in which something happened, or is happening, are named. Percentiles are in
milliseconds, and left out where no request ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from router import metrics


@dataclass(frozen=True, slots=True)
class Reading:
    """An app's counters now. `slot` tells an app from one that had its counters before."""

    id: str
    slot: int
    requests: int
    server_errors: int
    in_flight: int
    queued: int
    histogram: Sequence[int]


class Pulse:
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._before = {(each.id, each.slot): each for each in readings}

    def beat(self, readings: Iterable[Reading]) -> dict[str, dict[str, Any]]:
        """What changed since the beat before."""
        now = {(each.id, each.slot): each for each in readings}
        before, self._before = self._before, now
        said = {}
        for key, reading in now.items():
            earlier = before.get(key)
            if earlier is None or reading != earlier or reading.in_flight or reading.queued:
                said[reading.id] = _change(reading, earlier)
        return said


def _change(now: Reading, before: Reading | None) -> dict[str, Any]:
    histogram = list(now.histogram)
    if before is not None:
        pairs = zip(now.histogram, before.histogram, strict=True)
        histogram = [max(new - old, 0) for new, old in pairs]
    return {
        "requests": max(now.requests - (before.requests if before else 0), 0),
        "errors": max(now.server_errors - (before.server_errors if before else 0), 0),
        **metrics.percentiles_ms(histogram),
        "in_flight": now.in_flight,
        "queued": now.queued,
    }
