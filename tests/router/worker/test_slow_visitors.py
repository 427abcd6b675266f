"""Visitors that give or take too slowly are cut; those that are slow and honest are not."""

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.router.tls.test_tls import careless, make, push

PART = b"x" * 65536
PARTS = 24


def _narrow(address: tuple[str, int]) -> socket.socket:
    """A connection whose kernel takes little at a time."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    narrow.settimeout(30)
    narrow.connect(address)
    return narrow


def _large(talk: Any) -> None:
    talk.request()
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(PART) * PARTS))
    talk.send(PART * PARTS)


def _read_slowly(connection: Any, pause_s: float) -> int:
    """How many bytes came until the end."""
    total = 0
    while data := connection.recv(16384):
        total += len(data)
        time.sleep(pause_s)
    return total


def _sip(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.1):
        connection.recv(1)


def _last_request(host: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host


def test_a_last_answer_is_taken_whole_however_slowly(router: Any, app: Any) -> None:
    app.script = _large
    visitor = _narrow(router.address)
    visitor.sendall(_last_request(app.host))
    assert _read_slowly(visitor, 0.05) > len(PART) * PARTS


def test_over_tls_too(router: Any, app: Any) -> None:
    app.script = _large
    push(router, make("slow.test"))
    router.publish({**app.entry, "domains": ["slow.test"]})
    visitor = careless().wrap_socket(_narrow(router.secure_address), server_hostname="slow.test")
    assert isinstance(visitor, ssl.SSLSocket)
    visitor.sendall(_last_request(b"slow.test"))
    assert _read_slowly(visitor, 0.05) > len(PART) * PARTS


def test_one_who_reads_next_to_nothing_is_cut(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n")
        for _ in range(90):
            talk.send(b"x" * 1_000_000)

    app.script = script
    visitor = _narrow(router.address)
    visitor.sendall(_last_request(app.host))
    over = threading.Event()
    trickle = threading.Thread(target=_sip, args=(visitor, over))
    trickle.start()
    assert "code=H28 " in router.lines(app.id)[0]
    over.set()
    trickle.join()
    with pytest.raises(ConnectionResetError):  # what waited in kernels is gone
        _read_slowly(visitor, 0)
    visitor.close()


def test_an_answer_that_fits_the_buffers_and_is_never_read_is_let_go(router: Any, app: Any) -> None:
    """The request is over for the app; what holds memory is the connection."""

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PART), PART))

    app.script = script
    visitors = [_narrow(router.address) for _ in range(20)]
    for visitor in visitors:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % app.host * 4)
    for visitor in visitors:
        assert visitor.recv(1)  # it is let in, and answered
    (worker,) = router.worker_pids()
    end = time.monotonic() + 60
    while _connections(worker, router.address[1]) and time.monotonic() < end:
        time.sleep(0.2)
    assert not _connections(worker, router.address[1])
    for visitor in visitors:
        visitor.close()


def test_a_body_that_trickles_in_is_h28(router: Any, app: Any) -> None:
    app.script = lambda talk: talk.wait_for_close()
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 90000\r\n\r\n" % app.host)
    with pytest.raises(OSError):
        for _ in range(200):
            visitor.send(b"x")
            time.sleep(0.1)
    assert "code=H28 " in router.lines(app.id)[0]


def test_a_slow_body_lives_once_its_answer_has_begun(router: Any, app: Any) -> None:
    heard = threading.Event()

    def script(talk: Any) -> None:
        talk.until(b"\r\n\r\n")
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        talk.exactly(60)
        heard.set()
        talk.send(b"0\r\n\r\n")
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 60\r\n\r\n" % app.host)
    for _ in range(60):
        visitor.send(b"x")
        time.sleep(0.1)
    assert heard.wait(30)
    assert visitor.response().status == 200


def test_a_stream_that_says_little_is_left_alone(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(60):
            talk.send(b"data: x\n\n")
            time.sleep(0.1)

    app.script = script
    visitor = _narrow(router.address)
    visitor.sendall(_last_request(app.host))
    assert _read_slowly(visitor, 0) > 60 * 9


def _connections(pid: int, port: int) -> int:
    """Established connections to the port that the process still holds."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = link.readlink().name
        except OSError:
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if row[9] in inodes and row[3] != "0A"]
    return sum(row[1].endswith(f":{port:04X}") for row in ours)
