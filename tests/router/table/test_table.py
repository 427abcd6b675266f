"""What a table must be, and what its hosts lead to."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.choice import routes
from router.table import table
from router.table.routing import Routing, Rule
from router.table.table import TableError

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


def test_a_good_table_is_read() -> None:
    read = table.read(TABLE)
    assert (read.version, read.bases) == (3, ("localhost", "apps.test"))
    assert read.apps[0].instances[0].unix == "/run/x/web.sock"


def test_tcp_targets_are_address_and_port() -> None:
    read = table.read(_with(instances=[{**INSTANCE, "target": {"tcp": ["10.0.0.5", 5000]}}]))
    assert read.apps[0].instances[0].tcp == ("10.0.0.5", 5000)


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ([], "table is not an object"),
        ({**TABLE, "version": "3"}, "table.version"),
        ({**TABLE, "version": 0}, "table.version"),
        ({**TABLE, "version": True}, "table.version"),
        ({"version": 1, "bases": []}, "table.apps is missing"),
        ({**TABLE, "bases": ["UPPER"]}, "table.bases"),
        ({**TABLE, "apps": [APP, {**APP, "id": "a-2", "domains": []}]}, "app name"),
        ({**TABLE, "apps": [APP, APP]}, "app id"),
        (_with(id="../../etc/passwd"), "table.apps[0].id"),
        (_with(id=""), "table.apps[0].id"),
        (_with(name="a.b"), "table.apps[0].name"),
        (_with(state="sleepy"), "table.apps[0].state"),
        ({**TABLE, "colour": 1}, "table.colour"),
        (_with(colour=1), "table.apps[0].colour"),
        (_with(instances=[{**INSTANCE, "colour": 1}]), "instances[0].colour"),
        (_with(instances=[{**INSTANCE, "release": 0}]), "instances[0].release"),
        (_with(instances=[{**INSTANCE, "release": "13"}]), "instances[0].release"),
        (_with(routing=[]), "table.apps[0].routing"),
        (_with(routing=None), "table.apps[0].routing"),
        (_with(routing={"colour": 1}), "table.apps[0].routing.colour"),
        (_with(routing={"concurrency": 1.5}), "routing.concurrency"),
        (_with(routing={"concurrency": True}), "routing.concurrency"),
        (_with(routing={"concurrency": -1}), "routing.concurrency"),
        (_with(routing={"queue_timeout_s": 0}), "routing.queue_timeout_s"),
        (_with(routing={"rolling_timeout_s": float("nan")}), "routing.rolling_timeout_s"),
        (_with(routing={"sticky": 1}), "routing.sticky"),
        (_with(routing={"health_path": "healthz"}), "routing.health_path"),
        (_with(routing={"health_path": "/a b"}), "routing.health_path"),
        (_with(routing={"health_path": "/a#b"}), "routing.health_path"),
        (_with(routing={"error_page_url": "ftp://a/"}), "routing.error_page_url"),
        (_with(routing={"error_page_url": 'https://a/"onload='}), "routing.error_page_url"),
        (_with(routing={"maintenance_page_url": "https://a b"}), "routing.maintenance_page_url"),
        (_with(weights=[]), "table.apps[0].weights"),
        (_with(weights={"v1": 1}), "table.apps[0].weights"),
        (_with(weights={"1": -1}), "table.apps[0].weights.1"),
        (_with(weights={"1": 0}), "table.apps[0].weights"),
        (_with(rules={}), "table.apps[0].rules"),
        (_with(rules=[3]), "rules[0]"),
        (_with(rules=[{"release": 1}]), "rules[0]"),
        (_with(rules=[{"release": 1, "header": "A"}]), "rules[0]"),
        (_with(rules=[{"release": 1, "value": "1"}]), "rules[0]"),
        (_with(rules=[{"release": 1, "percentage": 101}]), "rules[0].percentage"),
        (_with(rules=[{"release": 1, "header": "A", "value": "1", "x": 1}]), "rules[0].x"),
        (_with(rules=[{"header": "A", "value": "1"}]), "rules[0].release"),
        (_with(rules=[{"release": 1, "header": "A:", "value": "1"}]), "rules[0].header"),
        (_with(rules=[{"release": 1, "header": "A", "value": "\r\n"}]), "rules[0].value"),
        (_with(maintenance=1), "table.apps[0].maintenance"),
        (_with(domains=["a b"]), "table.apps[0].domains"),
        (_with(domains=["*"]), "table.apps[0].domains"),
        (_with(domains=["a.*.b"]), "table.apps[0].domains"),
        (_with(domains=["a.b", "a.b"]), "domain"),
        (_with(instances=[INSTANCE, INSTANCE]), "instance id"),
        (_with(instances=[{**INSTANCE, "name": 'web.1" x="'}]), "instances[0].name"),
        (_with(instances=[{**INSTANCE, "target": {"unix": "relative"}}]), "target.unix"),
        (_with(instances=[{**INSTANCE, "target": {"unix": "/" + "x" * 108}}]), "target.unix"),
        (_with(instances=[{**INSTANCE, "target": {"tcp": ["1.2.3.4", 0]}}]), "target"),
        (_with(instances=[{**INSTANCE, "target": {"tcp": ["1.2.3.4"]}}]), "target"),
        (_with(instances=[{**INSTANCE, "target": {}}]), "target"),
        (_with(instances=[{**INSTANCE, "target": {"tcp": ["db.example", 1]}}]), "target.tcp"),
        (_with(instances=[{**INSTANCE, "target": {"unix": "/a", "tcp": ["b", 1]}}]), "target"),
    ],
)
def test_a_bad_table_is_refused_and_says_where(bad: Any, where: str) -> None:
    with pytest.raises(TableError) as refused:
        table.read(bad)
    assert where in str(refused.value)


ROUTING = {
    "first_byte_timeout_s": 30,
    "rolling_timeout_s": 55.5,
    "queue_max": 0,
    "queue_timeout_s": 10,
    "concurrency": 50,
    "requests_per_second": 0.5,
    "burst": 5,
    "body_bytes_max": 1_000_000,
    "sticky": True,
    "trace": True,
    "health_path": "/healthz?full=1",
    "error_page_url": "https://example.com/error.html?a=1&b=2",
    "maintenance_page_url": "http://example.com/",
}


def test_routing_weights_and_rules_are_read() -> None:
    rules = [
        {"header": "X-Canary", "value": "1", "release": 13},
        {"header": "X-User", "percentage": 12.5, "release": 13},
        {"percentage": 5, "release": 14},
    ]
    raw = _with(routing=ROUTING, weights={"12": 90, "13": 0}, rules=rules)
    app = table.read(raw).apps[0]
    assert asdict(app.routing) == ROUTING
    assert app.weights == {12: 90, 13: 0}
    assert app.rules == (
        Rule(13, "X-Canary", "1"),
        Rule(13, "X-User", None, 12.5),
        Rule(14, "", None, 5),
    )


def test_what_an_app_does_not_ask_for_is_the_usual() -> None:
    app = table.read(TABLE).apps[0]
    assert (app.routing, app.weights, app.rules) == (Routing(), {}, ())
    assert app.instances[0].release == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(["version", "bases", "apps"]), JSON)
def test_any_json_is_read_or_refused(key: str, value: Any) -> None:
    try:
        table.read({**TABLE, key: value})
    except TableError as error:
        assert str(error)


@given(st.sampled_from(["routing", "weights", "rules", "instances"]), JSON)
def test_any_json_in_an_app_is_read_or_refused(key: str, value: Any) -> None:
    try:
        table.read(_with(**{key: value}))
    except TableError as error:
        assert str(error)


@given(st.sampled_from(sorted(ROUTING)), JSON)
def test_any_json_in_routing_is_read_or_refused(key: str, value: Any) -> None:
    try:
        table.read(_with(routing={key: value}))
    except TableError as error:
        assert f"routing.{key}" in str(error)


def _build(raw: dict[str, Any], old: routes.Routes | None = None, down: str = "") -> routes.Routes:
    new = table.read(raw)
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
