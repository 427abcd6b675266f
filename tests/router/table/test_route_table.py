"""What a table must be."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.table import route_table
from router.table.options import Routing, Rule
from router.table.route_table import TableError

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
    read = route_table.read(TABLE)
    assert (read.version, read.bases) == (3, ("localhost", "apps.test"))
    assert read.apps[0].instances[0].unix == "/run/x/web.sock"


def test_tcp_targets_are_address_and_port() -> None:
    read = route_table.read(_with(instances=[{**INSTANCE, "target": {"tcp": ["10.0.0.5", 5000]}}]))
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
        route_table.read(bad)
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
    app = route_table.read(raw).apps[0]
    assert asdict(app.routing) == ROUTING
    assert app.weights == {12: 90, 13: 0}
    assert app.rules == (
        Rule(13, "X-Canary", "1"),
        Rule(13, "X-User", None, 12.5),
        Rule(14, "", None, 5),
    )


def test_what_an_app_does_not_ask_for_is_the_usual() -> None:
    app = route_table.read(TABLE).apps[0]
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
        route_table.read({**TABLE, key: value})
    except TableError as error:
        assert str(error)


@given(st.sampled_from(["routing", "weights", "rules", "instances"]), JSON)
def test_any_json_in_an_app_is_read_or_refused(key: str, value: Any) -> None:
    try:
        route_table.read(_with(**{key: value}))
    except TableError as error:
        assert str(error)


@given(st.sampled_from(sorted(ROUTING)), JSON)
def test_any_json_in_routing_is_read_or_refused(key: str, value: Any) -> None:
    try:
        route_table.read(_with(routing={key: value}))
    except TableError as error:
        assert f"routing.{key}" in str(error)
