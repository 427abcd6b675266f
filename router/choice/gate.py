"""What an app has asked of each request before an instance is chosen: rate, size, trace.

Only the beginning is judged here. A body whose length nobody has said is counted as it comes, by a
decoder that has the limit.
"""

import time
from dataclasses import dataclass

from router.http import chunks
from router.http import failures as errors
from router.http.failures import BadRequest, Failure
from router.memory import rates
from router.table import options


@dataclass(frozen=True, slots=True)
class Gate:
    """Made with each table. `interval_us` 0 and `body_bytes_max` 0 mean no limit."""

    app: bytes
    interval_us: int
    burst: int
    body_bytes_max: int
    trace: bool

    def refusal(self, address: bytes, length: int, buckets: rates.Buckets) -> Failure | None:
        """Why a visitor's request with a body of that length may not pass; None: it may."""
        if self.interval_us:
            who, now_us = self.app + rates.visitor(address), time.monotonic_ns() // 1000
            wait_us = buckets.take(who, self.interval_us, self.burst, now_us)
            if wait_us:
                return errors.too_many_requests(-(-wait_us // 1_000_000))
        if self.body_bytes_max and length > self.body_bytes_max:
            return errors.restriction(BadRequest(413, chunks.TOO_LARGE))
        return None


def gate(app: str, wanted: options.Routing) -> Gate | None:
    """None for an app that asks for nothing of this."""
    rate = wanted.requests_per_second
    if not (rate or wanted.body_bytes_max or wanted.trace):
        return None
    return Gate(
        app.encode() + b"/",
        max(round(1_000_000 / rate), 1) if rate else 0,
        wanted.burst or max(int(rate), 1),
        wanted.body_bytes_max,
        wanted.trace,
    )
