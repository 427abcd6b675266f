import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.config_vars import BYTES_MAX, check, describe, environment, merge
from paas.errors import UserError

NAMES = st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("PORT", "DYNO", "HOME")
)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, st.none() | VALUES))
def test_changes_win_and_none_unsets(
    config: dict[str, str], changes: dict[str, str | None]
) -> None:
    merged = merge(config, changes)
    for name in {*config, *changes}:
        assert merged.get(name) == (changes[name] if name in changes else config[name])


def test_merging_changes_neither_argument() -> None:
    config = {"A": "1"}
    merge(config, {"A": None})
    assert config == {"A": "1"}


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "A" * 257])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="can't name a config var"):
        check(name, "x")


@pytest.mark.parametrize("name", ["PORT", "DYNO", "HOME", "__X", "SMARTPLATFORM_X"])
def test_the_platforms_own_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="set by the platform"):
        check(name, "x")


@pytest.mark.parametrize("value", ["secret\0", "secret\ud800"])
def test_a_bad_value_is_refused_and_never_repeated(value: str) -> None:
    with pytest.raises(UserError) as caught:
        check("KEY", value)
    assert "secret" not in caught.value.message + caught.value.hint


def test_the_whole_config_has_a_limit() -> None:
    merge({}, {"A": "x" * (BYTES_MAX - 1)})
    with pytest.raises(UserError, match="65537 bytes"):
        merge({}, {"A": "x" * BYTES_MAX})


def test_unsetting_is_allowed_for_any_name() -> None:
    assert merge({"OLD-NAME": "1"}, {"OLD-NAME": None}) == {}


def test_the_description_names_what_changed_and_no_value() -> None:
    assert describe({"A": "1", "B": "2", "C": None}) == "Set A, B config vars; Remove C config var"


def test_a_path_of_the_apps_own_is_searched_before_the_platforms() -> None:
    platform = {"PATH": "/opt/node/bin:/usr/bin"}
    for own, path in (
        ({"PATH": "/app/bin"}, "/app/bin:/opt/node/bin:/usr/bin"),
        ({"PATH": ""}, "/opt/node/bin:/usr/bin"),
        ({}, "/opt/node/bin:/usr/bin"),
    ):
        assert environment(own, platform) == {"PATH": path}


@pytest.mark.parametrize("value", ["", ":", "::"])
def test_an_empty_path_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="An empty PATH"):
        check("PATH", value)


def test_the_platforms_variables_win_and_node_options_are_joined() -> None:
    merged = environment(
        {"PORT": "1", "NODE_OPTIONS": "--max-old-space-size=99", "A": "1"},
        {"PORT": "5000", "NODE_OPTIONS": "--require /x.cjs"},
    )
    assert merged == {
        "PORT": "5000",
        "NODE_OPTIONS": "--require /x.cjs --max-old-space-size=99",
        "A": "1",
    }
    assert "NODE_OPTIONS" not in environment({}, {})
