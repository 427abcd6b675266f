"""What becomes of a request at an app with limits, rules or cookies: without sockets."""

from pathlib import Path
from typing import Any

import pytest

from router.choice import affinity, routes
from router.choice.apps import App
from router.memory import counters
from router.memory.counters import QUEUED, app_cell
from router.table import route_table
from router.traffic import phases, request
from router.traffic.downstream import Downstream
from router.traffic.visit import WorkerState


@pytest.fixture
def state(tmp_path: Path) -> WorkerState:
    state = WorkerState(counters.create(), 1, tmp_path)
    state.living_rows([1, 2])
    return state


def _app(state: WorkerState, routing: dict[str, Any]) -> App:
    """An app with one instance, in the table from now on."""
    instance = {"id": "i", "name": "web.1", "target": {"unix": "/x"}}
    entry = {"id": "a", "name": "a", "domains": [], "maintenance": False, "state": "live"}
    entries = route_table.read_apps([{**entry, "instances": [instance], "routing": routing}])
    slots = {"apps": {"a": 0}, "instances": {"i": 0}}
    change = routes.Change(1, [], entries, [], slots, frozenset())
    state.routes = state.routes.changed(change, state.row, state.now)
    return state.routes.apps["a"]


def _request(state: WorkerState, app: App, block: bytes = b"\r\n") -> Downstream:
    visit = Downstream(state, b"80")
    visit.app, visit.block, visit.phase = app, block, phases.WAIT
    return visit


def test_who_comes_later_does_not_overtake_who_waits_elsewhere(state: WorkerState) -> None:
    app = _app(state, {"concurrency": 2})
    state.counters.cells[app_cell(2, app.slot) + QUEUED] = 1
    visit = _request(state, app)
    request.send(visit, app)
    assert visit in state.queues[app]
    assert state.counters.in_flight(0) == 0


def test_what_was_promised_for_an_instance_that_failed_is_forgotten(state: WorkerState) -> None:
    app = _app(state, {"sticky": True})
    assert app.chooser is not None
    cookie = b"%b=%b" % (affinity.NAME, affinity.token(app.id, "i"))
    visit = _request(state, app, b"Cookie: %b\r\n\r\n" % cookie)
    visit.cookie = b"of another"
    assert request.choose(visit, app.chooser, app.ready) is app.ready[0]
    assert visit.cookie == b""
