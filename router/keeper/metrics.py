"""What the counters say, for people and for Prometheus. Pure.

Latencies come from a histogram with two buckets to each power of two: a percentile is the upper
limit of its bucket, so it is never flattering and at most half too high.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from router.memory.counters import BUCKETS, bucket_limit_us

PERCENTILES = (50, 95, 99)
_STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_SHOWN_BUCKETS = range(18, 54, 2)
"""Half a millisecond to two minutes, in powers of two."""


@dataclass(frozen=True, slots=True)
class AppFigures:
    """`totals` by name since the start; `in_flight` by instance name, now; `unhealthy` names."""

    id: str
    name: str
    totals: dict[str, int]
    histogram: Sequence[int]
    in_flight: dict[str, int]
    unhealthy: Sequence[str] = ()


def percentiles_ms(histogram: Sequence[int]) -> dict[str, float]:
    """`{"p50": 1.5, …}`, empty when there was no request."""
    count = sum(histogram)
    return {
        f"p{percent}": _limit_ms(histogram, -(-count * percent // 100))
        for percent in PERCENTILES
        if count
    }


def _limit_ms(histogram: Sequence[int], rank: int) -> float:
    seen = 0
    for index, count in enumerate(histogram):
        seen += count
        if seen >= rank:
            return bucket_limit_us(index) / 1000
    raise ValueError(f"there are only {seen} requests, no number {rank}")


def exposition(apps: Sequence[AppFigures], version: int, workers: int) -> str:
    """Prometheus' text format, 0.0.4: the samples of a family stand together, after its type."""
    families = [
        ("router_table_version", "gauge", "Version of the route table in force", [f" {version}"]),
        ("router_workers", "gauge", "Worker processes that live", [f" {workers}"]),
        *(
            (name, kind, words, [sample for app in apps for sample in samples(app)])
            for name, kind, words, samples in _FAMILIES
        ),
    ]
    lines = []
    for name, kind, words, samples in families:
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{sample}" for sample in samples]
    return "\n".join(lines) + "\n"


def _requests(app: AppFigures) -> list[str]:
    return [
        f'{{app="{app.name}",status="{each}"}} {app.totals[f"status_{each}"]}'
        for each in _STATUS_CLASSES
    ]


def _total(name: str) -> Callable[[AppFigures], list[str]]:
    return lambda app: [f'{{app="{app.name}"}} {app.totals[name]}']


def _unhealthy(app: AppFigures) -> list[str]:
    return [f'{{app="{app.name}"}} {len(app.unhealthy)}']


def _in_flight(app: AppFigures) -> list[str]:
    return [
        f'{{app="{app.name}",instance="{instance}"}} {count}'
        for instance, count in app.in_flight.items()
    ]


def _service_seconds(app: AppFigures) -> list[str]:
    label = f'app="{app.name}"'
    lines, seen, at = [], 0, 0
    for limit in _SHOWN_BUCKETS:
        seen += sum(app.histogram[at : limit + 1])
        at = limit + 1
        seconds = bucket_limit_us(limit) / 1_000_000
        lines.append(f'_bucket{{{label},le="{seconds:g}"}} {seen}')
    count = seen + sum(app.histogram[at:BUCKETS])
    return [
        *lines,
        f'_bucket{{{label},le="+Inf"}} {count}',
        f"_sum{{{label}}} {app.totals['service_us'] / 1_000_000:.6f}",
        f"_count{{{label}}} {count}",
    ]


_FAMILIES: Final = (
    ("router_requests_total", "counter", "Requests that have ended, by status class", _requests),
    (
        "router_errors_total",
        "counter",
        "Requests that ended with an H-code",
        _total("router_errors"),
    ),
    ("router_response_bytes_total", "counter", "Bytes of response bodies", _total("bytes_out")),
    ("router_queued", "gauge", "Requests that wait for an instance", _total("queued")),
    ("router_in_flight", "gauge", "Requests in flight at an instance", _in_flight),
    ("router_unhealthy", "gauge", "Instances that fail their checks", _unhealthy),
    (
        "router_service_seconds",
        "histogram",
        "Time from a request's arrival to its end, without that of connecting",
        _service_seconds,
    ),
)
