"""Heads, judged without sockets. The oracle is llhttp's strict parser over the whole message."""

import contextlib
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.failures import BadRequest, BadResponse
from router.http.fieldlines import CHUNKED, UNTIL_CLOSE, Malformed, check
from router.http.request_head import request_fields, request_line, shared
from router.http.response_head import response_head

_NAMES = (
    "Host|Content-Length|Transfer-Encoding|Connection|Upgrade|X-A|Cookie|TE|Keep-Alive|Expect"
    "|Proxy-Connection|X-Forwarded-For|x_request_id|Host\t"
)
_VALUES = (
    "a.localhost|1|0|chunked|gzip, chunked|close|keep-alive|upgrade|host|h2c|websocket"
    "|100-continue| 1|1 |\t||+1|1,1|a\0b"
)
NAMES = st.sampled_from(_NAMES.split("|"))
VALUES = st.one_of(
    st.sampled_from(_VALUES.split("|")), st.text(st.characters(max_codepoint=255), max_size=12)
)
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=7)


class _Whole:
    """What llhttp makes of a message."""

    def __init__(self, message: bytes, response: bool = False) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        kind = httptools.HttpResponseParser if response else httptools.HttpRequestParser
        self.parser = kind(self)
        try:
            self.parser.feed_data(message)
        except httptools.HttpParserUpgrade:
            self.complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _block(lines: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("latin-1") + b"\r\n"


@given(LINES)
def test_what_is_accepted_llhttp_accepts_with_the_same_meaning(
    lines: list[tuple[str, str]],
) -> None:
    block = _block(lines)
    if b"\r\n\r\n" in block[:-4]:
        return
    try:
        fields = request_fields(block)
    except BadRequest:
        return
    whole = _Whole(b"POST / HTTP/1.1\r\n" + block)
    assert whole.complete
    values = [value.strip(b" \t") for name, value in whole.headers if name == b"content-length"]
    if fields.length >= 0:
        assert [int(value) for value in values] in ([fields.length], [])
    else:
        assert (b"transfer-encoding", b"chunked") in [(n, v.lower()) for n, v in whole.headers]


@given(LINES)
def test_what_goes_to_the_app_is_strict_and_has_one_framing(lines: list[tuple[str, str]]) -> None:
    block = _block(lines)
    if b"\r\n\r\n" in block[:-4]:
        return
    try:
        fields = request_fields(block)
    except BadRequest:
        return
    sent = _Whole(b"POST / HTTP/1.1\r\n" + fields.kept + b"\r\n")
    assert sent.complete
    names = [name for name, _ in sent.headers]
    assert names.count(b"host") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert not {b"connection", b"keep-alive", b"upgrade", b"proxy-connection"} & set(names)


@given(LINES, st.sampled_from(["1.0", "1.1"]), st.sampled_from(["200 OK", "404", "304 ", "99 x"]))
def test_responses_too(lines: list[tuple[str, str]], version: str, status: str) -> None:
    head = f"HTTP/{version} {status}\r\n".encode() + _block(lines)
    if b"\r\n\r\n" in head[:-4]:
        return
    try:
        response = response_head(head)
    except BadResponse:
        return
    if not response.close:  # what is taken though it is said badly spoils the connection
        assert _Whole(head, response=True).complete
    sent = _Whole(response.whole, response=True)
    assert sent.complete
    names = [name for name, _ in sent.headers]
    assert names.count(b"content-length") == (response.length >= 0)
    assert b"transfer-encoding" not in names
    assert not {b"connection", b"keep-alive", b"upgrade", b"proxy-connection"} & set(names)


@given(st.binary(max_size=60))
def test_a_request_line_is_refused_or_forwarded_clean(line: bytes) -> None:
    if b"\r\n" in line:
        return
    try:
        parsed = request_line(line)
    except BadRequest:
        return
    assert parsed.text == b"%b %b HTTP/1.1" % (parsed.method, parsed.target)
    assert not set(parsed.target) & set(b" \t\r\n\0#")
    assert _Whole(parsed.text + b"\r\nHost: a\r\n\r\n").complete


@given(st.lists(st.tuples(NAMES, VALUES), max_size=3))
def test_no_message_is_judged_by_an_earlier_one(lines: list[tuple[str, str]]) -> None:
    with contextlib.suppress(BadRequest):
        request_fields(_block(lines))
    assert request_fields(b"Host: a.localhost\r\nX: y\r\n\r\n").host == b"a.localhost"


@pytest.mark.parametrize("line", ["Proxy-Connection: close", "Connection: close", "Upgrade: h2c"])
def test_a_line_about_the_connection_does_not_end_the_judge(line: str) -> None:
    for _ in range(3):
        request_fields(f"Host: a\r\n{line}\r\n\r\n".encode())
        response_head(f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 1\r\n\r\n".encode())


def test_the_judge_refuses_and_goes_on() -> None:
    for _ in range(3):
        with pytest.raises(Malformed):
            check(b"bad line\r\n")
        check(b"Good: line\r\n")


def test_bodies_of_responses_are_counted_chunked_or_until_close() -> None:
    def length(fields: bytes) -> int:
        return response_head(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n").length

    assert length(b"Content-Length: 7\r\n") == 7
    assert length(b"Transfer-Encoding: Chunked\r\n") == CHUNKED
    assert length(b"X: y\r\n") == UNTIL_CLOSE
    assert length(b"") == UNTIL_CLOSE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"WWW.Example.COM:8080", b"www.example.com"),
        (b"a.localhost.", b"a.localhost"),
        (b"[::1]:80", b"[::1]"),
        (b"under_score.example", b"under_score.example"),
    ],
)
def test_hosts_have_one_form(value: bytes, expected: bytes) -> None:
    assert request_fields(b"Host: %b\r\n\r\n" % value).host == expected


def test_connections_share_what_their_fields_say_unless_it_is_more_than_a_host() -> None:
    def fields(extra: bytes = b"", host: bytes = b"a.test") -> Any:
        return shared(request_fields(b"Host: %b\r\nAccept: */*\r\n%b\r\n" % (host, extra)))

    assert fields() is fields(b"Cookie: a=b\r\n")
    assert fields().kept == b""
    assert fields().host == b"a.test"
    assert fields(host=b"b.test") is not fields()
    assert fields(b"Connection: keep-alive\r\n").keep_alive
    assert not fields().keep_alive
    for extra, name in (
        (b"Connection: close\r\n", "close"),
        (b"Content-Length: 5\r\n", "length"),
        (b"Connection: upgrade\r\nUpgrade: echo\r\n", "upgrade"),
        (b"Connection: TE\r\nTE: trailers\r\n", "trailers"),
        (b"X-Request-Id: 01234567890123456789\r\n", "request_id"),
    ):
        assert getattr(fields(extra), name)
        assert not getattr(fields(), name)


@pytest.mark.parametrize("lines", [b"TE", b"Connection", b"Connection: x\r\nx", b"Upgrade"])
def test_a_line_without_a_colon_is_refused_also_where_it_goes_no_further(lines: bytes) -> None:
    with pytest.raises(BadRequest):
        request_fields(b"Host: a.localhost\r\n" + lines + b"\r\n\r\n")
    with pytest.raises(BadResponse):
        response_head(b"HTTP/1.1 101 OK\r\nA: b\r\n" + lines + b"\r\n\r\n")
