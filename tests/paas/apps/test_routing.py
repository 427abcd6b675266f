"""Routing settings: what can be set, how it is typed, and that the router agrees."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paas.apps import config_vars as config
from paas.apps import routing
from paas.errors import UserError
from router.memory import limits
from router.table import options as router_routing


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("sticky", "on", True),
        ("first-byte-timeout", "60", 60),
        ("first_byte_timeout_s", "1.5", 1.5),
        ("first-byte-timeout", 90, 90),
        ("queue-timeout", "500ms", 0.5),
        ("rolling-timeout", "2m", 120),
        ("body-max", "10MB", 10_000_000),
        ("body-max", "10mib", 10_485_760),
        ("requests-per-second", "0.5", 0.5),
        ("concurrency", "20", 20),
        ("queue-max", "off", 0),
        ("health-path", "/healthz?deep=1", "/healthz?deep=1"),
        ("https", "redirect", "redirect"),
    ],
)
def test_a_value_is_kept_under_the_tables_key(name: str, typed: Any, value: Any) -> None:
    merged = routing.merge({}, {name: typed})
    assert merged == {routing.named(name).key: value}
    assert type(next(iter(merged.values()))) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sticky", "yes"), ("sticky", 1), ("first-byte-timeout", "0"),
        ("first-byte-timeout", "off"),
        ("first-byte-timeout", "25h"), ("first-byte-timeout", "-1"), ("queue-max", "1.5"),
        ("queue-max", 1.5), ("queue-max", True), ("queue-max", "1000001"), ("concurrency", "²"),
        ("requests-per-second", float("nan")), ("requests-per-second", "1e9"),
        ("requests-per-second", "0.0009"), ("requests-per-second", 1e-9), ("body-max", "1 MB"),
        ("body-max", 2**53 + 1), ("health-path", "healthz"), ("health-path", "/a b"),
        ("health-path", "/\r\nHost: x"), ("health-path", 1), ("https", "on"), ("https", []),
        ("trace", {}), ("burst", []),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_with_what_can(name: str, given: Any) -> None:
    with pytest.raises(UserError, match=f"{name} can't be") as caught:
        routing.merge({}, {name: given})
    assert caught.value.hint.startswith("Say ")


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="no routing setting 'concurency'") as caught:
        routing.merge({}, {"concurency": 1})
    assert "Did you mean concurrency?" in caught.value.hint


def test_defaults_are_not_kept() -> None:
    current = routing.merge({}, {"sticky": "on", "queue-max": 5})
    assert routing.merge(current, {"sticky": None, "queue_max": "1000"}) == {}
    assert routing.merge(current, {"concurrency": 0}) == current
    assert routing.effective(current)["queue_max"] == 5
    assert routing.effective({})["https"] == "optional"


def test_nothing_is_changed_when_one_setting_is_wrong() -> None:
    current = {"sticky": True}
    with pytest.raises(UserError):
        routing.merge(current, {"sticky": "off", "burst": "x"})
    assert current == {"sticky": True}


def test_the_defaults_are_those_of_the_router() -> None:
    ours = routing.effective({})
    router = limits.DEFAULTS
    assert (ours["queue_max"], ours["queue_timeout_s"]) == (router.queue_length, router.queue_s)
    assert ours["first_byte_timeout_s"] == router.first_byte_s
    assert ours["rolling_timeout_s"] == router.idle_s
    for key, value in ours.items():
        there = getattr(router_routing.DEFAULT, key, None)
        assert key == "https" or there is None or there == value


values = st.one_of(
    st.integers(), st.floats(), st.floats(0, 0.1), st.booleans(), st.text(), st.none(),
    st.lists(st.integers()),
    st.sampled_from(["on", "redirect", "60", "1.5s", "10MB", "/x", "0"]),
    st.from_regex(r"/[ -~]*", fullmatch=True),
)  # fmt: skip
names = st.sampled_from([*routing.BY_NAME, *routing.BY_KEY])
config_values = st.one_of(st.text(), st.from_regex(r"https?://[ -~]*", fullmatch=True))


@given(
    st.dictionaries(names, values),
    st.dictionaries(st.sampled_from([*routing.PAGE_VARS]), config_values),
)
def test_the_router_accepts_whatever_is_kept(changes: Any, config: dict[str, str]) -> None:
    current: dict[str, Any] = {}
    for name, value in changes.items():
        try:
            current = routing.merge(current, {name: value})
        except UserError:
            continue
    sent = routing.routed(current, config)
    assert sent.get("https", "optional") in ("optional", "redirect")
    read = router_routing.read("routing", sent.get("routing", {}))
    for key, value in current.items():
        assert key == "https" or getattr(read, key) == value


@given(st.dictionaries(st.one_of(names, st.text()), values))
@example({"health_path": ""})
def test_the_router_accepts_whatever_another_version_has_kept(kept: dict[str, Any]) -> None:
    sent = routing.routed(kept, {})
    assert sent.get("https", "optional") in ("optional", "redirect")
    router_routing.read("routing", sent.get("routing", {}))


def test_pages_come_from_config_vars_that_name_one() -> None:
    page = "https://www.example.com/sorry.html"
    sent = routing.routed(
        {}, {"ERROR_PAGE_URL": page, "MAINTENANCE_PAGE_URL": "javascript:alert(1)"}
    )
    assert sent == {"routing": {"error_page_url": page}}
    assert routing.routed({}, {}) == {}


def test_a_config_var_that_names_no_page_is_refused() -> None:
    with pytest.raises(UserError, match="not the address of a page") as caught:
        config.check("ERROR_PAGE_URL", "secret")
    assert "secret" not in caught.value.message
    config.check("ERROR_PAGE_URL", "https://www.example.com/?a=b&c")
    config.check("ERROR_PAGE_URL", "")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sticky", True, "on"), ("trace", False, "off"), ("queue-timeout", 1.5, "1.5s"),
        ("concurrency", 0, "no limit"), ("concurrency", 3, "3"), ("queue-max", 0, "0"),
        ("health-path", "", "not asked"), ("body-max", 5, "5"),
    ],
)  # fmt: skip
def test_values_are_shown_as_people_say_them(name: str, value: Any, text: str) -> None:
    assert routing.shown(routing.named(name), value) == text
