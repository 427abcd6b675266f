"""JSON with comments: what it takes, and that everything that JSON takes means the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks import jsonc

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values, st.sampled_from([None, 2]))
def test_plain_json_means_the_same(value: object, indent: int | None) -> None:
    assert jsonc.loads(json.dumps(value, indent=indent)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, /* b */ "c": "// no", // d\n}', {"a": 1, "c": "// no"}),
        ('["/* no */", /*\n*/ ",]", ]', ["/* no */", ",]"]),
        ('{"a": "\\"//", }', {"a": '"//'}),
    ],
)
def test_comments_and_commas_are_left_out(text: str, value: object) -> None:
    assert jsonc.loads(text) == value


def test_an_error_is_told_with_its_line() -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        jsonc.loads("{\n/* a\n b */\n x}")
    assert raised.value.lineno == 4
