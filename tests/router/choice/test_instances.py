"""Who gets a request, without sockets."""

from collections import Counter
from typing import Any

import pytest

from router.choice.apps import App
from router.choice.instances import Instance, pick
from router.memory import counters
from router.table import route_table


@pytest.fixture(scope="module")
def shared() -> counters.Counters:
    return counters.create()


def _instances(count: int) -> list[Instance]:
    return [
        Instance(route_table.Instance(str(slot), f"web.{slot}", unix="/x"), slot, 1, up=True)
        for slot in range(count)
    ]


def _load(shared: Any, row: int, loads: list[int]) -> None:
    for slot, load in enumerate(loads):
        shared.cells[counters.instance_cell(row, slot)] = load


ROWS = [counters.instance_cell(1, 0), counters.instance_cell(2, 0)]


def test_the_least_loaded_over_all_workers_wins(shared: Any) -> None:
    _load(shared, 1, [3, 0, 2])
    _load(shared, 2, [0, 9, 0])
    assert pick(_instances(3), shared, ROWS).slot == 2


def test_rows_of_workers_that_are_gone_do_not_count(shared: Any) -> None:
    _load(shared, 1, [1, 0, 2])
    _load(shared, 2, [0, 9, 0])
    assert pick(_instances(3), shared, ROWS[:1]).slot == 1


def test_ties_are_broken_at_random(shared: Any) -> None:
    _load(shared, 1, [0, 0, 5, 0])
    _load(shared, 2, [0, 0, 0, 0])
    picked = Counter(pick(_instances(4), shared, ROWS).slot for _ in range(600))
    assert set(picked) == {0, 1, 3}
    assert min(picked.values()) > 100


def test_above_eight_the_better_of_two_wins(shared: Any) -> None:
    _load(shared, 1, [0] * 19 + [50])
    _load(shared, 2, [0] * 20)
    picked = Counter(pick(_instances(20), shared, ROWS).slot for _ in range(2000))
    assert 19 not in picked
    assert len(picked) == 19


def _app(instances: list[Instance]) -> App:
    app = App("a", 0, 1)
    app.instances = tuple(instances)
    app.refresh(0.0)
    return app


def test_one_that_refuses_is_left_alone_twice_as_long_each_time() -> None:
    first, second = _instances(2)
    app = _app([first, second])
    pauses = []
    now = 0.0
    for _ in range(2000):
        first.failed_to_connect(now)
        first.failed_to_connect(now)
        app.refresh(now)
        assert list(app.ready) == [second]
        pauses.append(first.ejected_until - now)
        now = first.ejected_until
        app.refresh(now)
        assert list(app.ready) == [first, second]
    assert pauses[:5] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert set(pauses[4:]) == {60.0}
    first.connected()
    first.failed_to_connect(now)
    assert first.ejected_until - now == 5.0


def test_when_all_refuse_all_are_tried() -> None:
    instances = _instances(2)
    for instance in instances:
        instance.failed_to_connect(0.0)
    app = _app(instances)
    assert list(app.ready) == instances


def test_one_that_is_down_is_never_ready() -> None:
    first, second = _instances(2)
    first.up = False
    second.failed_to_connect(0.0)
    assert list(_app([first, second]).ready) == [second]
    second.up = False
    assert list(_app([first, second]).ready) == []


def test_an_app_is_reached_from_a_connection_on_and_not_because_a_pause_is_over() -> None:
    instances = _instances(2)
    app = _app(instances)
    assert app.is_reached
    for instance in instances:
        instance.failed_to_connect(0.0)
    app.refresh(1000.0)
    assert not app.is_reached
    instances[1].connected()
    assert app.is_reached
