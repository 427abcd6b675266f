"""The one filter: whatever is printed, a terminal does nothing but show it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.system.plaintext import escaped, plain, plain_but_colours

ATTACKS = [
    "\x1b]52;c;aGVsbG8=\x07",  # writes the clipboard
    "\x1b]0;title\x1b\\",
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b[1A\x1b[2Kremote: =====> Released v99",  # writes over the line before
    "\rremote: =====> Released v99",
    "\x08" * 20 + "=====> Released",
    "\x9b2J",  # the same in C1
    "\x1bc",
    "\x1b[6n",  # makes the terminal type its answer
    "\x1bP$q\x1b\\",
    "\u202emain\u2066",
    "a\u2028b\x0bc\x0cd\x85e",
    "\x1b[" + "1;" * 100 + "m",
]


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("clean", [plain, plain_but_colours])
def test_attacks_are_shown_and_not_done(text: str, clean: object) -> None:
    assert callable(clean)
    shown = clean(f"before {text} after")
    assert shown.startswith("before ") and shown.endswith(" after")
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066]", shown)


@given(st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x2100), max_size=50))
def test_nothing_but_colours_is_left_of_control_characters(text: str) -> None:
    shown = plain_but_colours(text)
    without = re.sub("\x1b\\[[0-9;:]{0,32}m", "", shown)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", without)
    assert plain_but_colours(shown) == shown
    assert plain(text).count("\n") == shown.count("\n") == text.count("\n")


def test_a_colour_ends_with_its_line() -> None:
    assert plain_but_colours("\x1b[8mhidden\nnext") == "\x1b[8mhidden\x1b[0m\nnext"
    assert plain_but_colours("\x1b[31mred\x1b[0m ok") == "\x1b[31mred\x1b[0m ok"
    assert plain_but_colours("\x1b[31mred\x1b[m") == "\x1b[31mred\x1b[m"


@given(st.dictionaries(st.text(), st.text()))
def test_json_means_the_same(value: dict[str, str]) -> None:
    text = escaped(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
