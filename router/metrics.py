"""What the counters say, for people and for Prometheus. Pure.

Latencies come from a histogram with two buckets to each power of two: a percentile is the upper
limit of its bucket, so it is never flattering and at most half too high.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.counters import BUCKETS, bucket_limit_us

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


def exposition(apps: Iterable[AppFigures], version: int, workers: int) -> str:
    """Prometheus' text format, 0.0.4."""
    lines = [
        "# TYPE router_table_version gauge",
        f"router_table_version {version}",
        "# TYPE router_workers gauge",
        f"router_workers {workers}",
        "# TYPE router_requests_total counter",
        "# TYPE router_errors_total counter",
        "# TYPE router_response_bytes_total counter",
        "# TYPE router_queued gauge",
        "# TYPE router_in_flight gauge",
        "# TYPE router_unhealthy gauge",
        "# TYPE router_service_seconds histogram",
    ]
    for app in apps:
        lines += _app_lines(app)
    return "\n".join(lines) + "\n"


def _app_lines(app: AppFigures) -> list[str]:
    label = f'app="{app.name}"'
    totals = app.totals
    lines = [
        f'router_requests_total{{{label},status="{each}"}} {totals[f"status_{each}"]}'
        for each in _STATUS_CLASSES
    ]
    lines += [
        f"router_errors_total{{{label}}} {totals['router_errors']}",
        f"router_response_bytes_total{{{label}}} {totals['bytes_out']}",
        f"router_queued{{{label}}} {totals['queued']}",
        f"router_unhealthy{{{label}}} {len(app.unhealthy)}",
    ]
    lines += [
        f'router_in_flight{{{label},instance="{instance}"}} {count}'
        for instance, count in app.in_flight.items()
    ]
    return lines + _histogram_lines(label, app)


def _histogram_lines(label: str, app: AppFigures) -> list[str]:
    lines, seen, at = [], 0, 0
    for limit in _SHOWN_BUCKETS:
        seen += sum(app.histogram[at : limit + 1])
        at = limit + 1
        seconds = bucket_limit_us(limit) / 1_000_000
        lines.append(f'router_service_seconds_bucket{{{label},le="{seconds:g}"}} {seen}')
    count = seen + sum(app.histogram[at:BUCKETS])
    return [
        *lines,
        f'router_service_seconds_bucket{{{label},le="+Inf"}} {count}',
        f"router_service_seconds_sum{{{label}}} {app.totals['service_us'] / 1_000_000:.6f}",
        f"router_service_seconds_count{{{label}}} {count}",
    ]
