"""What is accepted as one request, a second strict parser (h11) reads the same way."""

import os
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from router.http.failures import BadRequest
from router.http.fieldlines import CHUNKED
from router.http.request_head import request_fields, request_line

CASES_MAX = int(os.environ.get("ROUTER_FUZZ_CASES", "300"))
"""`ROUTER_FUZZ_CASES=1000000` makes a long run of it."""

LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /a?b=c HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"HEAD http://a.test/ HTTP/1.0",
        b"PUT /%00 HTTP/1.1",
    ]
)
FIELDS = st.sampled_from(
    [
        b"Host: a.test",
        b"Content-Length: 5",
        b"content-length: 0",
        b"Transfer-Encoding: chunked",
        b"TRANSFER-ENCODING: Chunked",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"X-Empty:",
        b"X-Tab:\tvalue\t",
        b"Accept: */*",
        b"Expect: 100-continue",
        b"Cookie: a=b; c=d",
        b"Keep-Alive: timeout=5",
    ]
)
NOISE = st.sampled_from(
    [bytes([code]) for code in (0, 9, 10, 11, 13, 32, 35, 44, 58, 59, 127, 233)]
)
HEADS = st.tuples(
    LINES,
    st.lists(FIELDS, max_size=5),
    st.lists(st.tuples(st.integers(0, 400), st.one_of(NOISE, st.binary(max_size=3))), max_size=2),
)


def _head(line: bytes, fields: list[bytes], changes: list[tuple[int, bytes]]) -> bytes:
    """A plausible head, spoilt in a place or two."""
    text = b"\r\n".join([line, b"Host: a.test", *fields])
    for at, noise in changes:
        at %= len(text) + 1
        text = text[:at] + noise + text[at:]
    return text + b"\r\n\r\n"


def _ours(head: bytes) -> Any:
    """Method, target and framing; None for what is refused."""
    if head.find(b"\r\n\r\n") != len(head) - 4:
        return None
    text, _, block = head.partition(b"\r\n")
    try:
        line, fields = request_line(text), request_fields(block)
    except BadRequest:
        return None
    if line.minor == 0 and fields.length == CHUNKED:
        return None
    return line.method, fields.length


def _theirs(head: bytes) -> Any:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    request = connection.next_event()
    assert isinstance(request, h11.Request), request
    headers = dict(request.headers)
    length = int(headers.get(b"content-length", b"0"))
    chunked = headers.get(b"transfer-encoding", b"").lower() == b"chunked"
    return request.method, CHUNKED if chunked else length


@settings(max_examples=CASES_MAX, deadline=None)
@given(HEADS)
def test_both_read_the_same(parts: tuple[bytes, list[bytes], list[tuple[int, bytes]]]) -> None:
    head = _head(*parts)
    ours = _ours(head)
    if ours is not None:
        assert ours == _theirs(head)


@settings(max_examples=CASES_MAX, deadline=None)
@given(HEADS)
def test_what_goes_to_the_app_is_read_by_both(
    parts: tuple[bytes, list[bytes], list[tuple[int, bytes]]],
) -> None:
    head = _head(*parts)
    ours = _ours(head)
    if ours is None:
        return
    text, _, block = head.partition(b"\r\n")
    sent = request_line(text).text + b"\r\n" + request_fields(block).kept + b"\r\n"
    assert _theirs(sent) == ours


def test_good_requests_are_accepted() -> None:
    """Or the others could not fail."""
    for line in (b"GET / HTTP/1.1", b"POST /a?b=c HTTP/1.1"):
        for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-Empty:"):
            head = _head(line, [field], [])
            assert _ours(head) == _theirs(head) is not None
