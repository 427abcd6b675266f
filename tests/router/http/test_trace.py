"""W3C's traceparent: passed where it is well formed, made where it is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.trace import traced

IDS = b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
MADE = re.compile(rb"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n\r\n\Z")


def _traced(fields: bytes) -> bytes:
    return traced(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields, b"Host: a\r\n%b\r\n" % fields)


@pytest.mark.parametrize(
    "value",
    [
        b"00-" + IDS + b"-01",
        b"00-" + IDS + b"-00",
        b"01-" + IDS + b"-01",
        b"cc-" + IDS + b"-01-what-comes-later",
    ],
)
def test_what_is_well_formed_is_passed_as_it_is(value: bytes) -> None:
    head = _traced(b"Traceparent:  %b \r\ntracestate: a=1\r\n" % value)
    assert head.count(b"\r\nTraceparent:  %b \r\ntracestate: a=1\r\n\r\n" % value) == 1
    assert head.lower().count(b"traceparent") == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        b"00-" + IDS,
        b"00-" + IDS + b"-01-more",
        b"ff-" + IDS + b"-01",
        b"00-" + IDS.upper() + b"-01",
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
    ],
)
def test_what_is_malformed_is_replaced_with_its_state(value: bytes) -> None:
    head = _traced(b"traceparent: %b\r\nX: y\r\nTraceState: a=1\r\n" % value)
    assert head.startswith(b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\ntraceparent: ")
    assert MADE.search(head)


def test_two_are_none() -> None:
    one = b"traceparent: 00-" + IDS + b"-01\r\n"
    assert len(re.findall(rb"(?i)traceparent", _traced(one + one))) == 1


def test_none_gets_one_each_time_another() -> None:
    heads = {_traced(b"X: traceparent: 1\r\n") for _ in range(10)}
    assert len(heads) == 10
    assert all(
        head.startswith(b"GET / HTTP/1.1\r\nHost: a\r\nX: traceparent: 1\r\n") for head in heads
    )
    assert all(MADE.search(head) for head in heads)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_any_value_leads_to_one_well_formed_parent(value: str) -> None:
    head = _traced(b"traceparent: %b\r\n" % value.encode())
    (found,) = re.findall(rb"\r\ntraceparent:[ \t]*([^\r]*?)[ \t]*\r", head)
    assert re.match(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", found)
