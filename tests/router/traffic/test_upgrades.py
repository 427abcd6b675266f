"""Connections that stop being HTTP: WebSocket and whatever else both ends agree on."""

import base64
import hashlib
import threading
import time
from typing import Any

from router.memory import limits
from tests.router.conftest import PATIENCE_S

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def _websocket(talk: Any) -> None:
    """A WebSocket server (RFC 6455) that echoes small masked text frames."""
    request = talk.request()
    key = request.partition(b"Sec-WebSocket-Key: ")[2].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    talk.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )
    while True:
        head = talk.exactly(2)
        mask = talk.exactly(4)
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(talk.exactly(head[1] & 127)))
        talk.send(bytes([head[0], len(body)]) + body)


def _upgrade(host: bytes, extra: bytes = b"") -> bytes:
    return (
        b"GET /chat HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\n"
        b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: %b\r\n%b\r\n" % (host, KEY, extra)
    )


def _frame(text: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text


def test_a_websocket_talks_both_ways(router: Any, app: Any) -> None:
    app.script = _websocket
    visitor = router.visit()
    visitor.send(_upgrade(app.host) + _frame(b"at once"))
    response = visitor.response()
    assert response.status == 101
    assert response.header("upgrade") == "websocket"
    assert response.header("connection") == "Upgrade"
    assert response.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert visitor._exactly(9) == b"\x81\x07at once"
    for number in range(50):
        visitor.send(_frame(b"%04d" % number))
        assert visitor._exactly(6) == b"\x81\x04%04d" % number
    visitor.close()
    (line,) = router.lines(app.id)
    assert "at=info" in line
    assert " status=101 " in line


def test_an_app_that_does_not_upgrade_answers_as_usual(router: Any, app: Any) -> None:
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert visitor.response().body == b"hello"
    visitor.get(app.host)
    assert visitor.response().body == b"hello"


def test_http_1_0_has_no_upgrade(router: Any, app: Any) -> None:
    visitor = router.visit()
    fields = b"Host: %b\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n" % app.host
    for version in (b"1.1", b"1.0"):
        visitor.send(b"GET / HTTP/%b\r\n%b" % (version, fields))
        assert visitor.response().status == 200
    assert [b"\r\nUpgrade: " in request for request in app.requests] == [True, False]


def test_when_the_app_closes_the_visitor_is_told(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbye")

    app.script = script
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert visitor.response().status == 101
    assert visitor.everything() == b"bye"


def test_half_a_close_is_passed_on(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        received = b""
        while part := talk.socket.recv(100):
            received += part
        talk.send(b"I heard " + received)

    app.script = script
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert visitor.response().status == 101
    visitor.send(b"all of it")
    visitor.shut()
    assert visitor.everything() == b"I heard all of it"


def test_an_upgraded_connection_counts_as_in_flight(router: Any, app: Any) -> None:
    app.script = _websocket
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert visitor.response().status == 101
    router.publish({**app.entry, "instances": []})
    with router.control_socket() as control:
        control.say({"type": "drain", "instance": app.entry["instances"][0]["id"]})
        visitor.send(_frame(b"still"))
        assert visitor._exactly(7) == b"\x81\x05still"
        visitor.close()
        assert control.hear()["type"] == "drained"


def test_a_silent_tunnel_is_closed_after_the_idle_time(router: Any, app: Any) -> None:
    app.script = _websocket
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert visitor.response().status == 101
    started = time.monotonic()
    visitor.everything()
    assert 2 < time.monotonic() - started < limits.DEFAULTS.idle_s
    assert "code=H15 " in router.lines(app.id)[0]


def test_a_tunnel_keeps_pace_with_a_slow_reader(router: Any, app: Any) -> None:
    sent = [0]
    full = threading.Event()

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        talk.socket.settimeout(0.5)
        try:
            while sent[0] < 200_000_000:
                talk.send(b"x" * 1_000_000)
                sent[0] += 1_000_000
        except TimeoutError:
            full.set()

    app.script = script
    visitor = router.visit()
    visitor.send(_upgrade(app.host))
    assert full.wait(PATIENCE_S)
    assert sent[0] < 100_000_000
