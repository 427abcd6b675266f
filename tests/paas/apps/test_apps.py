import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.apps import NAME, check_name, nearest_name, random_name, unknown_app
from paas.errors import NotFound, UserError


@pytest.mark.parametrize("name", ["abc", "calm-river-1234", "a" * 30, "a-b", "a1c"])
def test_a_good_name_is_returned(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a", "ab", "Hello", "1abc", "-abc", "abc-", "a" * 31, "a_b", "a.b", "a/b", "abc\n", "äbc"],
)
def test_a_bad_name_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(UserError) as caught:
        check_name(name)
    assert caught.value.id == "invalid_params" and "3 to 30" in caught.value.hint


def test_a_reserved_name_is_refused() -> None:
    with pytest.raises(UserError, match="reserved"):
        check_name("www")


@given(st.randoms())
def test_random_names_obey_the_rule(choice: random.Random) -> None:
    assert check_name(random_name(choice))


@given(st.text(max_size=40))
def test_what_is_accepted_is_a_label_of_a_host_name(name: str) -> None:
    try:
        check_name(name)
    except UserError:
        return
    assert NAME.fullmatch(name) and name.isascii() and len(name) <= 30


def test_the_nearest_name_is_suggested() -> None:
    assert nearest_name("helo", ["world", "hello"]) == "hello"
    assert nearest_name("zzz", ["world", "hello"]) is None


def test_an_unknown_app_says_what_to_do() -> None:
    error = unknown_app("helo", ["hello"])
    assert isinstance(error, NotFound) and error.hint == "Did you mean hello?"
    assert unknown_app("helo", []).hint == "To make it: paas create helo"
