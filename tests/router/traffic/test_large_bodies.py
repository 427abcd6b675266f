"""Bodies that pass the router inside the kernel: whole, in order, and cut without a trace."""

import contextlib
import hashlib
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.traffic import pipes

SIZE = 6_000_000
BODY = b"".join(struct.pack(">Q", number) for number in range(SIZE // 8))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
PATIENCE_S = 30.0


def _large(talk: Any) -> None:
    """Answers /small with five bytes, and everything else with the large body."""
    while True:
        if talk.request().startswith(b"GET /small"):
            talk.send(HEAD % 5 + b"hello")
        else:
            talk.send(HEAD % SIZE + BODY)


@pytest.fixture(params=["unix", "tcp"])
def large_app(request: Any, patient: Any, make_app: Callable[..., Any]) -> Iterator[Any]:
    app = make_app(_large, tcp=request.param == "tcp")
    assert patient.publish(app.entry)["type"] == "applied"
    yield app
    patient.withdraw(app.id)


def _reading_little(router: Any) -> Any:
    """A visitor whose socket takes little that it has not read."""
    visitor = router.visit()
    visitor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    visitor.socket.settimeout(PATIENCE_S)
    return visitor


def _read_bytes(pid: int) -> int:
    """How many bytes a process has read by itself."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _settled_descriptors(pid: int, at_most: int) -> int:
    end = time.monotonic() + PATIENCE_S
    while _descriptors(pid) > at_most and time.monotonic() < end:
        time.sleep(0.05)
    return _descriptors(pid)


def test_a_large_body_arrives_whole_and_the_connections_are_kept(
    patient: Any, large_app: Any
) -> None:
    (worker,) = patient.worker_pids()
    visitor = patient.visit()
    visitor.get(large_app.host, b"/small")
    assert visitor.response().body == b"hello"
    before = _read_bytes(worker)
    for _ in range(3):
        visitor.get(large_app.host)
        assert visitor.response().body == BODY
    assert _read_bytes(worker) - before < SIZE, "the worker has read the bodies itself"
    visitor.get(large_app.host, b"/small")
    assert visitor.response().body == b"hello"
    assert large_app.connections == 1
    sizes = [line.split("bytes=")[1].split()[0] for line in patient.lines(large_app.id, 5)]
    assert sizes == ["5", str(SIZE), str(SIZE), str(SIZE), "5"]


def test_pipelined_requests_keep_their_order_around_large_bodies(
    patient: Any, large_app: Any
) -> None:
    visitor = patient.visit()
    for target in (b"/", b"/small", b"/", b"/small"):
        visitor.get(large_app.host, target)
    bodies = [visitor.response().body for _ in range(4)]
    assert bodies == [BODY, b"hello", BODY, b"hello"]


def test_a_visitor_that_closed_its_sending_half_gets_the_large_body(
    patient: Any, large_app: Any
) -> None:
    visitor = patient.visit()
    visitor.get(large_app.host)
    visitor.shut()
    assert visitor.response().body == BODY
    assert visitor.is_closed()


def test_a_reader_that_pauses_gets_every_byte_in_order(patient: Any, large_app: Any) -> None:
    visitor = _reading_little(patient)
    visitor.get(large_app.host)
    received = hashlib.sha256()
    visitor._until(b"\r\n\r\n")
    left = SIZE
    while left:
        part = visitor._exactly(min(left, 500_000))
        received.update(part)
        left -= len(part)
        time.sleep(0.02)
    assert received.digest() == hashlib.sha256(BODY).digest()


def test_a_body_in_bursts_is_passed_on_as_it_comes(patient: Any, large_app: Any) -> None:
    """What the app has sent reaches the visitor while the app still makes the rest."""
    quarters = [BODY[at : at + SIZE // 4] for at in range(0, SIZE, SIZE // 4)]
    wanted = threading.Semaphore(1)

    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % SIZE)
        for quarter in quarters:
            assert wanted.acquire(timeout=PATIENCE_S)
            talk.send(quarter)

    large_app.script = script
    visitor = patient.visit()
    visitor.get(large_app.host)
    visitor._until(b"\r\n\r\n")
    for quarter in quarters:
        assert visitor._exactly(len(quarter)) == quarter
        wanted.release()


@pytest.mark.parametrize("sent", [SIZE // 2, SIZE - 1])
def test_an_app_that_ends_within_its_body_is_h18(patient: Any, large_app: Any, sent: int) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % SIZE + BODY[:sent])

    large_app.script = script
    visitor = patient.visit()
    visitor.get(large_app.host)
    received = visitor.everything().partition(b"\r\n\r\n")[2]
    assert len(received) <= sent
    assert BODY.startswith(received)
    assert "code=H18 " in patient.lines(large_app.id)[0]
    large_app.script = _large
    assert patient.fetch(large_app.host).body == BODY


def test_a_reset_by_the_app_is_h18(patient: Any, large_app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % SIZE + BODY[: SIZE // 2])
        talk.reset()

    large_app.script = script
    visitor = patient.visit()
    visitor.get(large_app.host)
    assert BODY.startswith(visitor.everything().partition(b"\r\n\r\n")[2])
    assert "code=H18 " in patient.lines(large_app.id)[0]


def test_a_reset_behind_more_than_a_turn_moves_is_h18(patient: Any, large_app: Any) -> None:
    """uvloop tells of a descriptor's error once, and drops its reader then."""
    (worker,) = patient.worker_pids()
    arrived = threading.Event()

    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % (10 * SIZE) + BODY)
        assert arrived.wait(PATIENCE_S)
        os.kill(worker, signal.SIGSTOP)
        talk.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            talk.send(BODY)
        talk.reset()
        os.kill(worker, signal.SIGCONT)

    large_app.script = script
    visitor = patient.visit()
    visitor.get(large_app.host)
    visitor._until(b"\r\n\r\n")
    assert visitor._exactly(SIZE) == BODY
    arrived.set()
    assert BODY.startswith(visitor.everything())
    assert "code=H18 " in patient.lines(large_app.id)[0]


def test_an_app_that_stops_within_its_body_is_h15(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % SIZE + BODY[: SIZE // 2])
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    visitor.everything()
    assert "code=H15 " in router.lines(app.id)[0]


def test_an_instance_is_drained_when_its_large_body_has_left(patient: Any, large_app: Any) -> None:
    visitor = _reading_little(patient)
    visitor.get(large_app.host)
    visitor._until(b"\r\n\r\n")
    patient.publish({**large_app.entry, "instances": []})
    with patient.control_socket() as control:
        control.socket.settimeout(0.5)
        control.say({"type": "drain", "instance": large_app.entry["instances"][0]["id"]})
        with pytest.raises(TimeoutError):
            control.hear()
        assert visitor._exactly(SIZE) == BODY
        control.socket.settimeout(PATIENCE_S)
        assert control.hear()["type"] == "drained"


def test_bytes_after_the_body_reach_nobody(patient: Any, large_app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(HEAD % SIZE + BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        talk.wait_for_close()

    large_app.script = script
    visitor = patient.visit()
    visitor.get(large_app.host)
    visitor.get(large_app.host)
    assert [visitor.response().body, visitor.response().body] == [BODY, BODY]
    assert large_app.connections == 2


def test_visitors_who_leave_within_a_body_leave_nothing_behind(
    patient: Any, large_app: Any
) -> None:
    (worker,) = patient.worker_pids()
    patient.fetch(large_app.host, b"/small")
    before = _descriptors(worker) + 2 * pipes.PIPES_KEPT
    for number in range(20):
        visitor = _reading_little(patient)
        visitor.get(large_app.host)
        visitor._until(b"\r\n\r\n")
        if number % 2:
            linger = struct.pack("ii", 1, 0)
            visitor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        visitor.close()
    lines = patient.lines(large_app.id, 21)[1:]
    assert all("code=H27 " in line and " status=499 " in line for line in lines)
    assert _settled_descriptors(worker, before) <= before
    assert patient.fetch(large_app.host).body == BODY


def test_more_large_bodies_than_pipes_arrive_whole(patient: Any, large_app: Any) -> None:
    visitors = [_reading_little(patient) for _ in range(pipes.PIPES_MAX + 8)]
    for visitor in visitors:
        visitor.get(large_app.host)
    for visitor in visitors:
        visitor._until(b"\r\n\r\n")
    for visitor in visitors:
        assert visitor._exactly(SIZE) == BODY
        visitor.close()
