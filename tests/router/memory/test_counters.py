"""The shared numbers."""

from hypothesis import given
from hypothesis import strategies as st

from router.memory import counters
from router.memory.counters import (
    BUCKETS,
    SMALL_BUCKETS,
    app_cell,
    bucket,
    bucket_limit_us,
    instance_cell,
)


def test_another_mapping_of_the_same_file_sees_the_numbers() -> None:
    ours = counters.create()
    theirs = counters.Counters(ours.descriptor)
    theirs.cells[instance_cell(1, 7)] += 2
    theirs.cells[instance_cell(2, 7)] += 3
    assert ours.in_flight(7) == 5


def test_a_dead_workers_totals_stay_and_its_requests_in_flight_go() -> None:
    shared = counters.create()
    shared.cells[instance_cell(1, 7)] = 4
    shared.cells[app_cell(1, 3) + counters.STATUS + 2] = 10
    shared.cells[app_cell(1, 3) + counters.QUEUED] = 6
    shared.cells[app_cell(2, 3) + counters.STATUS + 5] = 1
    shared.retire(1, [7], [3])
    assert shared.in_flight(7) == 0
    totals = shared.app(3)
    assert (totals["requests"], totals["status_2xx"], totals["queued"]) == (11, 10, 0)
    shared.retire(1, [7], [3])
    assert shared.app(3)["requests"] == 11


def test_a_slot_given_to_another_app_starts_at_nothing() -> None:
    shared = counters.create()
    shared.cells[app_cell(0, 3) + counters.STATUS + 2] = 10
    shared.clear_app(3)
    assert set(shared.app(3).values()) == {0}


@given(st.integers(0, 2**60))
def test_a_number_is_in_the_bucket_that_its_limits_say(microseconds: int) -> None:
    index = bucket(microseconds)
    assert 0 <= index < BUCKETS
    if index < BUCKETS - 1:
        assert microseconds < bucket_limit_us(index)
    if index:
        assert microseconds >= bucket_limit_us(index - 1)


def test_small_numbers_have_the_same_buckets() -> None:
    assert list(SMALL_BUCKETS) == [bucket(number) for number in range(4096)]
