"""What hosts lead to, and what stays when the table changes."""

from typing import Any

import pytest

from router.choice import routes
from router.table import route_table

INSTANCE = {"id": "i-1", "name": "web.1", "target": {"unix": "/run/x/web.sock"}}
APP = {
    "id": "a-1",
    "name": "hello",
    "domains": ["www.example.com", "*.example.org"],
    "maintenance": False,
    "state": "live",
    "instances": [INSTANCE],
}
TABLE = {"version": 3, "bases": ["localhost", "apps.test"], "apps": [APP]}


def _with(**changes: Any) -> dict[str, Any]:
    return {**TABLE, "apps": [{**APP, **changes}]}


def _build(raw: dict[str, Any], old: routes.Routes | None = None, down: str = "") -> routes.Routes:
    new = route_table.read(raw)
    instances = [each.id for app in new.apps for each in app.instances]
    slots = {
        "apps": {app.id: number for number, app in enumerate(new.apps)},
        "instances": {id: number for number, id in enumerate(instances)},
    }
    before = old or routes.Routes()
    removed = before.apps.keys() - slots["apps"].keys()
    change = routes.Change(new.version, new.bases, new.apps, removed, slots, frozenset([down]))
    return before.changed(change, 1, 0.0)


@pytest.mark.parametrize(
    ("host", "app"),
    [
        (b"www.example.com", "a-1"),
        (b"hello.localhost", "a-1"),
        (b"hello.apps.test", "a-1"),
        (b"hello.127-0-0-1.sslip.io", "a-1"),
        (b"x.example.org", "a-1"),
        (b"x.y.example.org", "a-1"),
        (b"special.example.org", "a-2"),
        (b"deep.wild.example.org", "a-2"),
        (b"example.org", None),
        (b"localhost", None),
        (b"hello", None),
        (b"other.localhost", None),
        (b"x.hello.localhost", None),
        (b"hello.127-0-0-1.sslip.io.evil.test", None),
        (b"hello.sslip.io", None),
        (b"", None),
    ],
)
def test_hosts_lead_to_apps(host: bytes, app: str | None) -> None:
    special = {
        **APP,
        "id": "a-2",
        "name": "special",
        "domains": ["special.example.org", "*.wild.example.org"],
        "instances": [],
    }
    found = _build({**TABLE, "apps": [APP, special]}).find(host)
    assert (found.id if found else None) == app


def test_what_stays_the_same_keeps_its_pool_and_queue() -> None:
    first = _build(TABLE)
    second = _build({**TABLE, "version": 4}, first)
    assert second.apps["a-1"] is first.apps["a-1"]
    assert second.instances["i-1"] is first.instances["i-1"]


def test_an_instance_that_is_reached_otherwise_is_another() -> None:
    first = _build(TABLE)
    moved = _with(instances=[{**INSTANCE, "target": {"unix": "/run/y/web.sock"}}])
    assert _build(moved, first).instances["i-1"] is not first.instances["i-1"]


def test_a_machine_noted_down_is_not_ready() -> None:
    assert list(_build(TABLE, down="i-1").apps["a-1"].ready) == []


def test_hosts_move_from_one_app_to_another_in_one_change() -> None:
    other = {**APP, "id": "a-2", "name": "other", "domains": [], "instances": []}
    first = _build({**TABLE, "apps": [APP, other]})
    moved = [{**APP, "domains": [], "name": "old"}, {**other, "domains": APP["domains"]}]
    second = _build({**TABLE, "version": 4, "apps": moved}, first)
    found = [second.find(host) for host in (b"www.example.com", b"x.example.org")]
    assert [app.id for app in found if app] == ["a-2", "a-2"]
    assert second.find(b"hello.localhost") is None
    assert [app.id for app in (first.find(b"www.example.com"),) if app] == ["a-1"]


def test_an_app_that_is_gone_is_found_no_more() -> None:
    gone = _build({**TABLE, "version": 4, "apps": []}, _build(TABLE))
    assert gone.find(b"www.example.com") is None
    assert gone.find(b"hello.localhost") is None
    assert (gone.apps, gone.instances) == ({}, {})


def test_the_owner_of_an_instance_is_its_app() -> None:
    built = _build(TABLE)
    assert built.owner("i-1") is built.apps["a-1"]
    assert built.owner("nobody") is None
