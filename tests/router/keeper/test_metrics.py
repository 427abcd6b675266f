"""Figures from counts."""

import asyncio
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from paas.routes.client import Router
from router.keeper.metrics import AppFigures, exposition, percentiles_ms
from router.memory.counters import BUCKETS, NAMES, bucket


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


def _figures(name: str) -> AppFigures:
    totals = dict.fromkeys((*NAMES, "requests"), 0) | {"status_2xx": 3, "service_us": 4_500_000}
    return AppFigures(name, name, totals, _histogram([100, 1_000_000, 3_400_000]), {"web.1": 2})


def test_the_text_is_prometheus() -> None:
    text = exposition([_figures("hello")], version=7, workers=2)
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.]+', line), line
    assert 'router_requests_total{app="hello",status="2xx"} 3\n' in text
    assert 'router_in_flight{app="hello",instance="web.1"} 2\n' in text
    assert 'router_service_seconds_sum{app="hello"} 4.500000\n' in text
    assert 'router_service_seconds_bucket{app="hello",le="+Inf"} 3\n' in text
    assert "router_table_version 7\n" in text


def test_the_samples_of_a_family_stand_together_after_its_type() -> None:
    text = exposition([_figures("hello"), _figures("other")], version=7, workers=2)
    family, kinds = "", {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, family, rest = line.split(" ", 3)
            assert (family in kinds) == (word == "TYPE")
            kinds[family] = rest
            continue
        name = line.partition("{")[0].partition(" ")[0]
        ends = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
        assert name in [family + end for end in ends]
    assert text.count('router_requests_total{app="other"') == 5
    assert set(kinds.values()) == {"counter", "gauge", "histogram"}


def test_control_gets_the_text_of_a_router_that_runs(router: Any, app: Any) -> None:
    assert router.fetch(app.host).status == 200
    text = asyncio.run(Router(router.control).metrics())
    assert f'router_requests_total{{app="{app.name}",status="2xx"}} 1\n' in text


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
