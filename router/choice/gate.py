"""What an app has asked of each request before an instance is chosen: rate, size, trace."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.http import chunks, trace
from router.http import failures as errors
from router.http.failures import BadRequest, Failure
from router.http.fieldlines import CHUNKED
from router.memory import rates
from router.table import routing

if TYPE_CHECKING:
    from router.traffic.client import Client


@dataclass(frozen=True, slots=True)
class Gate:
    """Made with each table. `interval_us` 0 and `body_bytes_max` 0 mean no limit."""

    app: bytes
    interval_us: int
    burst: int
    body_bytes_max: int
    trace: bool

    def refusal(self, client: "Client") -> Failure | None:
        """Why the request may not pass. None: it may, and has its trace."""
        if self.interval_us:
            wait_us = self._wait_us(client)
            if wait_us:
                return errors.too_many_requests(-(-wait_us // 1_000_000))
        length = client.fields.length
        if self.body_bytes_max and length:
            if length > self.body_bytes_max:
                return errors.restriction(BadRequest(413, chunks.TOO_LARGE))
            if length == CHUNKED:
                client.decoder = chunks.BoundedDecoder(self.body_bytes_max)
        if self.trace:
            client.head = trace.traced(client.head, client.block)
        return None

    def _wait_us(self, client: "Client") -> int:
        who = self.app + rates.visitor(client.visitor)
        now_us = time.monotonic_ns() // 1000
        return client.plane.counters.buckets.take(who, self.interval_us, self.burst, now_us)


def gate(app: str, wanted: routing.Routing) -> Gate | None:
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
