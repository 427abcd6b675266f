"""Who waits for an app, and what the other workers see of it."""

from pathlib import Path

import pytest

from router.choice.apps import App
from router.memory import counters
from router.memory.counters import QUEUED, WAITING_SINCE
from router.traffic import queue
from router.traffic.downstream import Downstream
from router.traffic.visit import WorkerState


@pytest.fixture
def state(tmp_path: Path) -> WorkerState:
    return WorkerState(counters.create(), 1, tmp_path)


def _visit(state: WorkerState, app: App, started: float) -> Downstream:
    visit = Downstream(state, b"80")
    visit.app, visit.started = app, started
    return visit


def _seen(state: WorkerState, app: App) -> tuple[int, int]:
    """How many wait, and since when in microseconds."""
    cells = state.counters.cells
    return cells[app.cell + QUEUED], cells[app.cell + WAITING_SINCE]


def test_the_oldest_is_first_and_the_others_are_counted(state: WorkerState) -> None:
    app = App("a", 0, 1)
    first, second = _visit(state, app, 1.0), _visit(state, app, 2.0)
    for visit in (first, second, first):
        queue.join(visit, app)
    assert list(queue.waiting(state, app)) == [first, second]
    assert _seen(state, app) == (2, 1_000_000)
    assert queue.withdraw(first)
    assert _seen(state, app) == (1, 2_000_000)


def test_who_does_not_wait_can_not_be_withdrawn(state: WorkerState) -> None:
    app, other = App("a", 0, 1), App("b", 1, 1)
    waits, passes = _visit(state, app, 1.0), _visit(state, other, 1.0)
    queue.join(waits, app)
    assert not queue.withdraw(passes)
    assert not queue.withdraw(_visit(state, app, 1.0))
    assert queue.withdraw(waits)
    assert not queue.withdraw(waits)


def test_a_queue_ends_with_the_last_who_waits(state: WorkerState) -> None:
    app = App("a", 0, 1)
    visits = [_visit(state, app, 1.0), _visit(state, app, 2.0)]
    for visit in visits:
        queue.join(visit, app)
    assert queue.take_all(state, app) == visits
    assert (state.queues, _seen(state, app)) == ({}, (0, 0))
    queue.join(visits[0], app)
    queue.withdraw(visits[0])
    assert (state.queues, _seen(state, app)) == ({}, (0, 0))
