"""Figures from counts."""

import re

from hypothesis import given
from hypothesis import strategies as st

from router.counters import BUCKETS, NAMES, bucket
from router.metrics import AppFigures, exposition, percentiles_ms


def _histogram(durations_us: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for duration in durations_us:
        counts[bucket(duration)] += 1
    return counts


@given(st.lists(st.integers(2, 10**9), min_size=1, max_size=60))
def test_a_percentile_is_not_flattering_and_at_most_half_too_high(durations: list[int]) -> None:
    figures = percentiles_ms(_histogram(durations))
    ordered = sorted(durations)
    for percent in (50, 95, 99):
        true_ms = ordered[-(-len(ordered) * percent // 100) - 1] / 1000
        assert true_ms < figures[f"p{percent}"] <= true_ms * 1.5 + 0.001


def test_without_requests_there_is_no_percentile() -> None:
    assert percentiles_ms([0] * BUCKETS) == {}


def test_the_text_is_prometheus() -> None:
    totals = dict.fromkeys((*NAMES, "requests"), 0) | {"status_2xx": 3, "service_us": 4_500_000}
    app = AppFigures("id", "hello", totals, _histogram([100, 1_000_000, 3_400_000]), {"web.1": 2})
    text = exposition([app], version=7, workers=2)
    for line in text.splitlines():
        assert re.fullmatch(r'# TYPE \w+ \w+|\w+(\{(\w+="[^"]*",?)+\})? [\d.]+', line), line
    assert 'router_requests_total{app="hello",status="2xx"} 3\n' in text
    assert 'router_in_flight{app="hello",instance="web.1"} 2\n' in text
    assert 'router_service_seconds_sum{app="hello"} 4.500000\n' in text
    assert 'router_service_seconds_bucket{app="hello",le="+Inf"} 3\n' in text
    assert text.index("router_table_version 7") >= 0


def test_buckets_only_grow() -> None:
    app = AppFigures(
        "id",
        "hello",
        dict.fromkeys((*NAMES, "requests"), 0),
        _histogram([2**power for power in range(1, 30)]),
        {},
    )
    counts = [int(each) for each in re.findall(r"_bucket\{.*\} (\d+)", exposition([app], 1, 1))]
    assert counts == sorted(counts)
    assert counts[-1] == 29
