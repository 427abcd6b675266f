"""What ends because it takes too long, and with which code. The router has short limits here."""

import socket
import time
from typing import Any

import pytest

from router.memory import limits
from router.worker import sweep
from tests.router.conftest import PATIENCE_S

USUAL_FIRST_BYTE_S = limits.DEFAULTS.first_byte_s
NODE_KEEP_ALIVE_S = 5.0


def _silent(talk: Any) -> None:
    talk.request()
    talk.wait_for_close()


def test_no_first_byte_is_h12(router: Any, app: Any) -> None:
    app.script = _silent
    started = time.monotonic()
    response = router.fetch(app.host)
    assert response.status == 503
    assert 1.9 < time.monotonic() - started < USUAL_FIRST_BYTE_S
    assert 'code=H12 desc="Request timeout"' in router.lines(app.id)[0]


def test_a_response_that_stops_is_h15(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    assert visitor.everything().endswith(b"half")
    assert "code=H15 " in router.lines(app.id)[0]


def test_a_response_that_goes_on_slowly_is_left_alone(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            time.sleep(1)
            talk.send(b"x")
        talk.wait_for_close()

    app.script = script
    assert router.fetch(app.host).body == b"xxxx"


def test_an_upload_that_stops_is_h28(router: Any, app: Any) -> None:
    app.script = _silent
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 9\r\n\r\npart" % app.host)
    visitor.everything()
    assert "code=H28 " in router.lines(app.id)[0]


def test_a_visitor_that_reads_nothing_is_h28(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n")
        for _ in range(90):
            talk.send(b"x" * 1_000_000)

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    assert "code=H28 " in router.lines(app.id)[0]


def test_headers_that_trickle_in_are_cut(router: Any) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    started = time.monotonic()
    with pytest.raises((AssertionError, ConnectionError)):
        while time.monotonic() - started < PATIENCE_S:
            visitor.send(b"X: y\r\n")
            time.sleep(0.2)
            assert b"408" not in _now(visitor)


def test_a_connection_without_a_request_is_closed(router: Any, app: Any) -> None:
    silent = router.visit()
    kept = router.visit()
    kept.get(app.host)
    assert kept.response().status == 200
    assert silent.is_closed()
    assert kept.is_closed()


def test_a_pooled_connection_is_closed_before_the_app_would(
    router: Any, app: Any, until: Any
) -> None:
    closed: list[float] = []

    def script(talk: Any) -> None:
        talk.request()
        started = time.monotonic()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        talk.wait_for_close()
        closed.append(time.monotonic() - started)

    app.script = script
    assert router.fetch(app.host).status == 200
    until(lambda: bool(closed))
    assert closed[0] > 3.5
    assert limits.DEFAULTS.pooled_s + sweep.INTERVAL_S < NODE_KEEP_ALIVE_S


def test_an_instance_that_does_not_accept_is_h19(router: Any, make_app: Any) -> None:
    app = make_app(tcp=True)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    app.entry["instances"][0]["target"] = {"tcp": list(listener.getsockname())}
    router.publish(app.entry)
    assert router.fetch(app.host).status == 503
    assert "code=H19 " in router.lines(app.id)[0]
    router.withdraw(app.id)
    for each in (*fillers, listener):
        each.close()


def _now(visitor: Any) -> bytes:
    visitor.socket.setblocking(False)
    try:
        data: bytes = visitor.socket.recv(65536)
        assert data, "closed"
        return data
    except BlockingIOError:
        return b""
    finally:
        visitor.socket.settimeout(10)
