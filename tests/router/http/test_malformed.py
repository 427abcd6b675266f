"""What must not be forwarded, and the one form in which doubtful messages are.

Families of request smuggling and malformed messages (RFC 9112 §2.2, §3.2, §5, §6, §7.1) against an
app that records: either the visitor gets the status and the app nothing, or the app gets one clean
request.
"""

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

HOST = b"Host: HOST\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"


def _post(fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST / HTTP/%b\r\nHost: HOST\r\n%b\r\n%b" % (version, fields, body)


def _get(fields: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n%b\r\n" % fields


CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED = {
    "length and chunked": (400, _post(b"Content-Length: 6\r\n" + CHUNKED, b"0\r\n\r\nX")),
    "chunked and length": (400, _post(CHUNKED + b"Content-Length: 6\r\n", b"0\r\n\r\nX")),
    "two lengths": (400, _post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"ab")),
    "two equal lengths": (400, _post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"a")),
    "two lengths, first zero": (400, _post(b"Content-Length: 0\r\nContent-Length: 9\r\n", b"a")),
    "list of lengths": (400, _post(b"Content-Length: 1, 1\r\n", b"a")),
    "signed length": (400, _post(b"Content-Length: +1\r\n", b"a")),
    "negative length": (400, _post(b"Content-Length: -1\r\n", b"a")),
    "hexadecimal length": (400, _post(b"Content-Length: 0x1\r\n", b"a")),
    "length with underscore": (400, _post(b"Content-Length: 1_0\r\n", b"a" * 10)),
    "empty length": (400, _post(b"Content-Length: \r\n")),
    "length overflows": (400, _post(b"Content-Length: 99999999999999999999\r\n")),
    "length of 2^64": (400, _post(b"Content-Length: 18446744073709551617\r\n", b"a")),
    "length with a vertical tab": (400, _post(b"Content-Length: 1\x0b\r\n", b"a")),
    "length with a point": (400, _post(b"Content-Length: 1.0\r\n", b"a")),
    "length in other digits": (400, _post(b"Content-Length: \xb2\r\n", b"ab")),
    "length with a space in it": (400, _post(b"Content-Length: 1 1\r\n", b"a")),
    "unknown coding": (400, _post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "gzip, chunked": (501, _post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "chunked, identity": (400, _post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n")),
    "chunked twice": (400, _post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    "identity": (400, _post(b"Transfer-Encoding: identity\r\n", b"a")),
    "coding with a tab before": (400, _post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n")),
    "coding with quotes": (400, _post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    "coding with parameter": (400, _post(b"Transfer-Encoding: chunked;a=b\r\n", b"0\r\n\r\n")),
    "coding with a comma behind": (400, _post(b"Transfer-Encoding: chunked,\r\n", b"0\r\n\r\n")),
    "coding with a comma before": (501, _post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n")),
    "coding with a form feed": (400, _post(b"Transfer-Encoding: \x0cchunked\r\n", b"0\r\n\r\n")),
    "coding with a no-break space": (400, _post(b"Transfer-Encoding: chunked\xa0\r\n")),
    "coding with CR behind": (400, _post(b"Transfer-Encoding: chunked\r\r\n", b"0\r\n\r\n")),
    "empty coding": (400, _post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    "coding behind a bare CR": (400, _post(b"X: a\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    "coding behind a fold": (400, _post(b"X: a\r\n\tTransfer-Encoding: chunked\r\n")),
    "coding with NUL": (400, _post(b"Transfer-Encoding: chunked\0\r\n", b"0\r\n\r\n")),
    "chunked in HTTP/1.0": (400, _post(CHUNKED, b"0\r\n\r\n", version=b"1.0")),
    "space before the colon": (400, _post(b"Content-Length : 1\r\n", b"a")),
    "tab before the colon": (400, _post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n")),
    "space before the name": (400, _get(HOST + b" X: y\r\n")),
    "folded line": (400, _get(HOST + b"X: a\r\n b\r\n")),
    "folded coding": (400, _post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    "bare LF ends a field": (400, _get(HOST + b"X: a\nY: b\r\n")),
    "bare LF ends the request line": (400, b"GET / HTTP/1.1\nHost: HOST\r\n\r\n"),
    "bare LF everywhere": (400, b"GET / HTTP/1.1\nHost: HOST\n\n"),
    "bare CR in a value": (400, _get(HOST + b"X: a\rY: b\r\n")),
    "NUL in a value": (400, _get(HOST + b"X: a\0b\r\n")),
    "DEL in a value": (400, _get(HOST + b"X: a\x7fb\r\n")),
    "a quoted word in Connection": (400, _get(HOST + b'Connection: "close"\r\n')),
    "two expectations": (400, _get(HOST + b"Expect: 100-continue\r\nExpect: 100-continue\r\n")),
    "CR before the empty line": (400, b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\r\n\r\n"),
    "CR before the end of the request line": (400, b"GET / HTTP/1.1\r\r\nHost: HOST\r\n\r\n"),
    "space behind the version": (400, b"GET / HTTP/1.1 \r\nHost: HOST\r\n\r\n"),
    "lower-case version": (400, b"GET / http/1.1\r\nHost: HOST\r\n\r\n"),
    "escape in Host": (400, _get(b"Host: HOST%00\r\n")),
    "absolute target with a backslash": (
        400,
        b"GET http://HOST\\@evil/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ),
    "absolute target of another scheme": (400, b"GET ftp://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "absolute target and no Host": (400, b"GET http://HOST/ HTTP/1.1\r\n\r\n"),
    "control character in a value": (400, _get(HOST + b"X: a\x01b\r\n")),
    "no colon": (400, _get(HOST + b"Xabc\r\n")),
    "empty name": (400, _get(HOST + b": abc\r\n")),
    "name with a bracket": (400, _get(HOST + b"X[a]: b\r\n")),
    "name that is not ASCII": (400, _get(HOST + b"X\xe9: b\r\n")),
    "no Host": (400, _get(b"X: y\r\n")),
    "no header at all": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no Host in HTTP/1.0": (400, b"GET / HTTP/1.0\r\n\r\n"),
    "two Hosts": (400, _get(HOST + b"Host: other\r\n")),
    "two equal Hosts": (400, _get(HOST + HOST)),
    "a list in Host": (400, _get(b"Host: HOST, other\r\n")),
    "user in Host": (400, _get(b"Host: HOST@other\r\n")),
    "path in Host": (400, _get(b"Host: HOST/a\r\n")),
    "space in Host": (400, _get(b"Host: HOST a\r\n")),
    "empty Host": (400, _get(b"Host:\r\n")),
    "port of Host is no number": (400, _get(b"Host: HOST:8o\r\n")),
    "folder tricks in Host": (400, _get(b"Host: ..\\HOST\r\n")),
    "Connection lists Host": (400, _get(HOST + b"Connection: host\r\n")),
    "Connection lists Content-Length": (
        400,
        _post(b"Content-Length: 1\r\nConnection: content-length\r\n", b"a"),
    ),
    "Connection lists Transfer-Encoding": (
        400,
        _post(CHUNKED + b"Connection: close, transfer-encoding\r\n", b"0\r\n\r\n"),
    ),
    "two spaces in the request line": (400, b"GET  / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "tab in the request line": (400, b"GET\t/ HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "target that is not ASCII": (400, b"GET /\xe9 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "NUL in the target": (400, b"GET /\0 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "fragment in the target": (400, b"GET /#a HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "target without slash": (400, b"GET a HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "asterisk with GET": (400, b"GET * HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "absolute target and a malformed Host": (
        400,
        b"GET http://HOST/ HTTP/1.1\r\nHost: HOST/a\r\n\r\n",
    ),
    "bare LF ends the headers": (400, b"GET / HTTP/1.1\r\nHost: HOST\r\n\n"),
    "bare LF in the headers": (400, b"GET / HTTP/1.1\r\nHost: HOST\nX: y\r\n"),
    "bare CR in the headers": (400, b"GET / HTTP/1.1\r\nHost: HOST\rX"),
    "a first line that is none": (400, b"SSH-2.0-OpenSSH_9.2\r\n"),
    "TLS, and no line end in it": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "NUL before the headers end": (400, b"GET / HTTP/1.1\r\nHost: HOST\r\nX: \0"),
    "absolute target with user": (400, b"GET http://a@HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "two empty lines first": (400, b"\r\n\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "no version": (400, b"GET /\r\n\r\n"),
    "HTTP/0.9": (505, b"GET / HTTP/0.9\r\nHost: HOST\r\n\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\nHost: HOST\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\nHost: HOST\r\n\r\n"),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.10": (400, b"GET / HTTP/1.10\r\nHost: HOST\r\n\r\n"),
    "lower-case method": (400, b"get / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "unknown method": (501, b"BREW / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "CONNECT": (405, b"CONNECT HOST:443 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "TRACE": (405, b"TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "another expectation": (417, _get(HOST + b"Expect: a-miracle\r\n")),
    "a long target": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    "a target without end": (414, b"GET /" + b"a" * 20000),
    "long headers": (431, _get(HOST + b"X: " + b"a" * 40000 + b"\r\n")),
    "headers without end": (431, _get(HOST + b"X: y\r\n" * 10000)[:-2]),
    "too many headers": (431, _get(HOST + b"X: y\r\n" * 250)),
    "TLS to the plain port": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"),
}

CUT = {
    "chunk size is no number": b"zz\r\nabc\r\n",
    "chunk size is signed": b"+3\r\nabc\r\n",
    "chunk size with 0x": b"0x3\r\nabc\r\n",
    "chunk size with an underscore": b"0_3\r\nabc\r\n",
    "chunk size overflows": b"fffffffffffffffff\r\nabc\r\n",
    "space before the chunk size": b" 3\r\nabc\r\n",
    "bare LF after the chunk size": b"3\nabc\r\n0\r\n\r\n",
    "bare LF after the chunk": b"3\r\nabc\n0\r\n\r\n",
    "chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "empty chunk size": b"\r\nabc\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n",
    "bare LF in an extension": b"3;a\nb\r\nabc\r\n",
    "space after the chunk size": b"3 \r\nabc\r\n0\r\n\r\n",
    "bare CR after the chunk size": b"3\rabc\r\n0\r\n\r\n",
    "bare LFs after the last chunk": b"3\r\nabc\r\n0\n\n",
    "chunk size of sixteen digits": b"0000000000000003\r\nabc\r\n0\r\n\r\n",
    "endless extension": b"3;" + b"a" * 5000,
    "malformed trailer": b"0\r\nno colon\r\n\r\n",
    "folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "endless trailers": b"0\r\n" + b"X: y\r\n" * 3000,
}

FORWARDED = {
    "one empty line first": (
        b"\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "absolute target": (
        b"GET http://HOST/a HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /a HTTP/1.1\r\n",
    ),
    "absolute target, no path": (
        b"GET http://HOST?a HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /?a HTTP/1.1\r\n",
    ),
    "OPTIONS for all": (b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n"),
    "Host with port": (b"GET / HTTP/1.1\r\nHost: HOST:8080\r\n\r\n", b"GET / HTTP/1.1\r\nHost: "),
    "Host with an empty port": (
        b"GET / HTTP/1.1\r\nHost: HOST:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "absolute target of another host": (
        b"GET http://HOST/a HTTP/1.1\r\nHost: other.test:81\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: ",
    ),
    "absolute target with an empty port": (
        b"GET http://HOST:/a HTTP/1.1\r\nHost: other.test\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: ",
    ),
    "Host with final dot": (b"GET / HTTP/1.1\r\nHost: HOST.\r\n\r\n", b"GET / HTTP/1.1\r\nHost: "),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: HOST\r\n\r\n", b"GET / HTTP/1.1\r\nHost: "),
    "space after the value": (
        b"GET / HTTP/1.1\r\nHost: HOST  \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "HTTP/2 upgrade": (
        b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "names with underscores": (
        b"GET / HTTP/1.1\r\nHost: HOST\r\nTransfer_Encoding: chunked\r\nContent_Length: 9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "coding in capitals": (
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: CHUNKED \r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: ",
    ),
    "length with zeros before": (
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0003\t\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: ",
    ),
    "Connection lists what we say": (
        b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: X-Forwarded-For, X-Request-Id, Via\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "body of a GET": (
        b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: ",
    ),
    "upgrade with a body": (
        b"POST / HTTP/1.1\r\nHost: HOST\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Content-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: ",
    ),
}


def _of(message: bytes, app: Any) -> bytes:
    return message.replace(b"HOST", app.host)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_the_app_hears_nothing(router: Any, app: Any, case: str) -> None:
    status, message = REFUSED[case]
    visitor = router.visit()
    visitor.send(_of(message, app))
    response = visitor.response()
    assert response.status == status
    assert response.header("connection") == "close"
    assert visitor.is_closed() or visitor.is_closed()
    assert app.requests == []


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_behind_a_refused_message_is_taken_for_a_request(
    router: Any, app: Any, case: str
) -> None:
    visitor = router.visit()
    visitor.get(app.host, b"/first")
    assert visitor.response().status == 200
    visitor.send(_of(REFUSED[case][1] + SMUGGLED, app))
    visitor.everything()
    assert [request.split(b" ")[1] for request in app.requests] == [b"/first"]


@pytest.mark.parametrize(
    "message",
    [
        b"GET / HTTP/1.1\r\nHost: HOST\r\nAccept: text/html\r\nCookie: "
        + b"a" * 40000
        + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nAccept: text/html\r\nCookie: " + b"a" * 40000,
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: HOST\r\nAccept: text/html\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nno colon\r\nAccept: text/html\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nAccept: text/html\r\n",
    ],
    ids=["long headers", "headers without end", "long target", "malformed", "late"],
)
def test_a_person_whose_request_is_refused_sees_a_page(
    router: Any, app: Any, message: bytes
) -> None:
    visitor = router.visit()
    visitor.send(_of(message, app))
    response = visitor.response()
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("x-request-id").encode() in response.body


@pytest.mark.parametrize(
    "message",
    [
        b"BAD\r\nHost: HOST\r\n\r\n",
        b"BAD\nHost: HOST\r\n",
        b"\r\n\r\n",
        b"GET /late",
    ],
    ids=["malformed", "not whole", "empty lines", "late"],
)
def test_what_is_refused_is_not_logged_as_the_request_before_it(
    router: Any, app: Any, message: bytes
) -> None:
    visitor = router.visit()
    visitor.get(app.host, b"/before", b"X-Forwarded-For: 192.0.2.1\r\nAccept: text/html\r\n")
    assert visitor.response().status == 200
    visitor.send(_of(message, app))
    response = visitor.response()
    assert response.header("content-type") == "application/json"
    id = response.header("x-request-id")
    logged = router.line_with("unrouted", f"request_id={id} ")
    assert 'method=- path="-" host=- ' in logged
    assert 'fwd="127.0.0.1"' in logged


@pytest.mark.parametrize("case", CUT)
def test_a_broken_body_spoils_both_connections(router: Any, app: Any, case: str) -> None:
    def script(talk: Any) -> None:
        talk.until(b"\r\n\r\n")
        app.requests.append(b"")
        talk.wait_for_close()
        app.requests.append(b"closed")

    app.script = script
    visitor = router.visit()
    visitor.send(_of(_post(CHUNKED), app) + CUT[case] + _of(SMUGGLED, app))
    response = visitor.response()
    assert (response.status, response.header("connection")) == (400, "close")
    visitor.everything()
    assert "code=H26" in router.lines(app.id)[0]
    assert app.connections <= 1


@pytest.mark.parametrize("case", FORWARDED)
def test_it_is_forwarded_in_one_form(router: Any, app: Any, case: str) -> None:
    message, expected = FORWARDED[case]
    visitor = router.visit()
    visitor.send(_of(message, app))
    assert visitor.response().status == 200
    (request,) = app.requests
    assert request.startswith(expected)
    head = request.lower().partition(b"\r\n\r\n")[0]
    assert re.search(rb"\r\nhost: %b(\.|:8080)?\r\n" % app.host, head)
    for once in (b"host", b"x-forwarded-for", b"x-request-id", b"via"):
        assert head.count(b"\r\n%b:" % once) == 1
    framing = re.findall(rb"\r\n((?:content-length|transfer-encoding):.*)", head)
    assert framing in ([], [b"content-length: 3\r"], [b"transfer-encoding: chunked\r"])
    for never in (b"upgrade", b"http2-settings", b"transfer_encoding", b"content_length"):
        assert never not in head
    assert b"\n" not in head.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: undefined\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: a\r\nY: b\nContent-Le",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 High\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"garbage",
        b"\0\0\0\0",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 600_000,
    ],
)
def test_a_response_that_is_none_is_h17(router: Any, app: Any, response: bytes) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(response)
        talk.wait_for_close()

    app.script = script
    answer = router.fetch(app.host)
    assert answer.status == 503
    assert b'Poorly formatted HTTP response"' in answer.body  # why is for the log only
    assert 'code=H17 desc="Poorly formatted HTTP response: ' in router.lines(app.id)[0]


def test_an_absolute_target_counts_for_its_own_request_only(
    router: Any, app: Any, make_app: Any
) -> None:
    """RFC 9112 §3.2.2; the headers are the same each time."""
    other = make_app()
    router.publish(other.entry)
    visitor = router.visit()
    block = b"Host: %b\r\nX: y\r\n\r\n" % app.host
    for target in (b"/1", b"http://%b/2" % other.host, b"/3", b"http://%b/4" % app.host, b"/5"):
        visitor.send(b"GET %b HTTP/1.1\r\n%b" % (target, block))
        assert visitor.response().status == 200
    router.withdraw(other.id)
    assert [each.split(b" ")[1] for each in app.requests] == [b"/1", b"/3", b"/4", b"/5"]
    assert [each.split(b"\r\n")[:2] for each in other.requests] == [
        [b"GET /2 HTTP/1.1", b"Host: " + other.host]
    ]


def test_the_log_names_the_header_that_is_malformed(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nA: b\r\nX-Title: a\x01b\r\nContent-Length: 0\r\n\r\n")
        talk.wait_for_close()

    app.script = script
    assert router.fetch(app.host).status == 503
    assert "HTTP response: malformed header X-Title: " in router.lines(app.id)[0]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", b"\0"])
def test_own_answers_say_when_they_were_made(router: Any, sent: bytes) -> None:
    visitor = router.visit()
    before = int(time.time())
    visitor.send(sent)
    date = visitor.response().header("date")
    assert date is not None and date.endswith(" GMT")
    assert before <= parsedate_to_datetime(date).timestamp() <= time.time()
