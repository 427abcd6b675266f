"""Token buckets in a bounded table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.memory import rates


def _buckets() -> rates.Buckets:
    return rates.Buckets(memoryview(bytearray(rates.CELLS * 8)).cast("Q"), b"k" * 32)


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    buckets = _buckets()
    now = 5_000_000
    assert [buckets.take(b"a", 100_000, 3, now) for _ in range(5)] == [0, 0, 0, 100_000, 100_000]
    assert buckets.take(b"a", 100_000, 3, now + 40_000) == 60_000
    assert buckets.take(b"a", 100_000, 3, now + 100_000) == 0
    assert buckets.take(b"a", 100_000, 3, now + 100_000) == 100_000


def test_one_visitor_costs_another_nothing() -> None:
    buckets = _buckets()
    for number in range(2000):
        assert buckets.take(b"%d" % number, 1_000_000, 1, 9) == 0


def test_a_full_bucket_makes_room_first(monkeypatch: Any) -> None:
    monkeypatch.setattr(rates, "SETS", 1)
    buckets = _buckets()
    for number in range(rates.WAYS):
        assert buckets.take(b"old %d" % number, 10, 1, 0) == 0
    for number in range(rates.WAYS - 1):
        assert buckets.take(b"new %d" % number, 1_000_000, 1, 50) == 0
    assert buckets.take(b"another", 1_000_000, 1, 50) == 0
    assert buckets.take(b"another", 1_000_000, 1, 50) > 0
    assert [buckets.take(b"new %d" % n, 1_000_000, 1, 50) > 0 for n in range(3)] == [True] * 3


@given(
    st.integers(1, 1000),
    st.integers(1, 5),
    st.lists(st.integers(0, 3000), min_size=1, max_size=60),
)
def test_no_stretch_of_time_has_more_than_the_burst_and_the_rate(
    interval_us: int, burst: int, pauses: list[int]
) -> None:
    buckets, now, taken = _buckets(), 1, []
    for pause in pauses:
        now += pause
        wait_us = buckets.take(b"a", interval_us, burst, now)
        if not wait_us:
            taken.append(now)
        else:
            assert buckets.take(b"a", interval_us, burst, now + wait_us - 1) > 0
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - taken[first]) / interval_us
            assert last - first + 1 <= allowed


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"192.0.2.1", b"192.0.2.2", False),
        (b"2001:db8:1:2::1", b"2001:db8:1:2:ffff::9", True),
        (b"2001:db8:1:2::1", b"2001:db8:1:3::1", False),
        (b"fe80::1%eth0", b"fe80::2%eth0", True),
        (b"-", b"::", False),
        (b"no:address", b"no:address", True),
    ],
)
def test_an_ipv6_visitor_is_a_64(one: bytes, other: bytes, same: bool) -> None:
    assert (rates.visitor(one) == rates.visitor(other)) is same
