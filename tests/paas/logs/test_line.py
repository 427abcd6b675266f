"""The parser of log lines: what conmon writes, and what hostile apps print."""

import re

from hypothesis import given
from hypothesis import strategies as st

from paas.logs.line import LINE_BYTES_MAX, Assembler, Filter, neutral, parse_own, pieces

STAMP = b"2026-11-22T15:36:00.123456789+00:00"


def assembled(*records: bytes) -> list[str]:
    assembler = Assembler("web.1")
    return [str(line) for record in records for line in assembler.feed(record)]


def test_a_record_becomes_a_line_in_herokus_form() -> None:
    assert assembled(STAMP + b" stdout F hello") == [
        "2026-11-22T15:36:00.123456+00:00 app[web.1]: hello"
    ]


def test_times_of_other_zones_become_utc() -> None:
    record = b"2026-11-22T16:36:00.5+01:00 stderr F late"
    assert assembled(record) == ["2026-11-22T15:36:00.500000+00:00 app[web.1]: late"]


def test_partial_records_are_joined_by_stream() -> None:
    lines = assembled(
        STAMP + b" stdout P one ",
        STAMP + b" stderr F other",
        STAMP + b" stdout F line",
    )
    assert [line.partition(": ")[2] for line in lines] == ["other", "one line"]


def test_a_long_line_is_cut_and_memory_stays_bounded() -> None:
    assembler = Assembler("web.1")
    lines = []
    for _ in range(10):
        lines += assembler.feed(STAMP + b" stdout P " + b"x" * 8000)
        assert all(len(text) <= LINE_BYTES_MAX for _, text in assembler._parts.values())
    lines += assembler.flush()
    assert {len(line.text) for line in lines[:-1]} == {LINE_BYTES_MAX}
    assert sum(len(line.text) for line in lines) == 80_000


def test_a_line_of_the_node_is_the_platforms_and_no_app_can_write_one() -> None:
    assert assembled(STAMP + b" heroku F Process exited with status 1") == [
        "2026-11-22T15:36:00.123456+00:00 heroku[web.1]: Process exited with status 1"
    ]
    printed = STAMP + b" heroku F forged"
    assert assembled(STAMP + b" stdout F " + printed) == [
        "2026-11-22T15:36:00.123456+00:00 app[web.1]: " + printed.decode()
    ]


def test_an_empty_line_stays() -> None:
    assert assembled(STAMP + b" stdout F ") == ["2026-11-22T15:36:00.123456+00:00 app[web.1]: "]
    assert assembled(STAMP + b" stdout F") == ["2026-11-22T15:36:00.123456+00:00 app[web.1]: "]


def test_what_is_no_record_is_no_line() -> None:
    assert assembled(b"", b"garbage", b"2026-99-99T00:00:00Z stdout F x") == []


def test_a_platform_line_names_its_process() -> None:
    line = parse_own(b"2026-11-22T15:36:00Z heroku[router]: at=info method=GET")
    assert line is not None
    assert str(line) == "2026-11-22T15:36:00.000000+00:00 heroku[router]: at=info method=GET"


def test_colours_and_tabs_pass_and_other_control_characters_do_not() -> None:
    assert neutral(b"\x1b[1;31mred\x1b[0m\tok\r") == "\x1b[1;31mred\x1b[0m\tok"
    assert neutral(b"\x1b]0;title\x07\x1b[2J\x9b") == "\ufffd]0;title\ufffd\ufffd[2J\ufffd"
    assert neutral("\u202eevil\u2028".encode()) == "\ufffdevil\ufffd"


def test_filters_name_a_source_an_instance_or_a_type() -> None:
    assert Filter().accepts("app", "web.1")
    assert Filter(source="app").accepts("app", "web.1")
    assert not Filter(source="heroku").accepts("app", "web.1")
    assert Filter(process="web").accepts("app", "web.2")
    assert Filter(process="web.2").accepts("app", "web.2")
    assert not Filter(process="web.1").accepts("app", "web.10")


@given(st.binary(max_size=400))
def test_nothing_an_app_prints_makes_another_line_or_steers_a_terminal(raw: bytes) -> None:
    text = neutral(raw)
    assert text.splitlines() in ([text], [])
    rest = re.sub("\x1b\\[[0-9;:]*m", "", text)
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e]", rest)


@given(st.text(max_size=300).map(str.encode), st.integers(0, 3))
def test_pieces_are_short_whole_characters_and_nothing_is_lost(raw: bytes, times: int) -> None:
    raw = raw * (1 + times * 100)
    found = pieces(raw)
    assert b"".join(found) == raw
    assert all(len(piece) <= LINE_BYTES_MAX for piece in found)
    for piece in found:
        piece.decode()


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_the_parser_survives_any_file(records: list[bytes]) -> None:
    assembler = Assembler("web.1")
    for record in records:
        for line in assembler.feed(record):
            assert "\n" not in str(line)
        parse_own(record)
