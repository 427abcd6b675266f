"""What becomes of a request at an app with limits, rules or cookies: without sockets."""

from pathlib import Path
from typing import Any

import pytest

from router.choice import affinity, routes
from router.choice.apps import App
from router.memory import counters
from router.memory.counters import QUEUED, app_cell
from router.table import table
from router.traffic import exchange, phases
from router.traffic.client import Client
from router.traffic.plane import Plane


@pytest.fixture
def plane(tmp_path: Path) -> Plane:
    plane = Plane(counters.create(), 1, tmp_path)
    plane.living_rows([1, 2])
    return plane


def _app(plane: Plane, routing: dict[str, Any]) -> App:
    """An app with one instance, in the table from now on."""
    instance = {"id": "i", "name": "web.1", "target": {"unix": "/x"}}
    entry = {"id": "a", "name": "a", "domains": [], "maintenance": False, "state": "live"}
    entries = table.read_apps([{**entry, "instances": [instance], "routing": routing}])
    slots = {"apps": {"a": 0}, "instances": {"i": 0}}
    change = routes.Change(1, [], entries, [], slots, frozenset())
    plane.routes = plane.routes.changed(change, plane.row, plane.now)
    return plane.routes.apps["a"]


def _request(plane: Plane, app: App, block: bytes = b"\r\n") -> Client:
    client = Client(plane, b"80")
    client.app, client.block, client.phase = app, block, phases.WAIT
    return client


def test_who_comes_later_does_not_overtake_who_waits_elsewhere(plane: Plane) -> None:
    app = _app(plane, {"concurrency": 2})
    plane.counters.cells[app_cell(2, app.slot) + QUEUED] = 1
    client = _request(plane, app)
    exchange.send(client, app)
    assert client in app.waiting
    assert plane.counters.in_flight(0) == 0


def test_what_was_promised_for_an_instance_that_failed_is_forgotten(plane: Plane) -> None:
    app = _app(plane, {"sticky": True})
    assert app.chooser is not None
    cookie = b"%b=%b" % (affinity.NAME, affinity.token(app.id, "i"))
    client = _request(plane, app, b"Cookie: %b\r\n\r\n" % cookie)
    client.cookie = b"of another"
    assert exchange.choose(client, app.chooser, app.ready) is app.ready[0]
    assert client.cookie == b""
