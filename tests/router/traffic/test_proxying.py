"""How messages cross the router, each case on real sockets."""

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from router.wire.dial import can_refuse
from tests.router.conftest import ANSWER, PATIENCE_S, Conversation, answering


def test_a_request_reaches_the_app_with_forwarding_headers(router: Any, app: Any) -> None:
    response = router.fetch(app.host, b"/a?b=1", b"X-Forwarded-For: 1.2.3.4\r\nX-Odd: yes\r\n")
    assert (response.status, response.body) == (200, b"hello")
    request = app.requests[0]
    assert request.startswith(b"GET /a?b=1 HTTP/1.1\r\nHost: " + app.host + b"\r\n")
    assert b"\r\nX-Odd: yes\r\n" in request
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in request
    assert b"\r\nX-Forwarded-Proto: http\r\n" in request
    assert b"\r\nX-Forwarded-Port: %d\r\n" % router.address[1] in request
    assert b"\r\nVia: 1.1 smartplatform\r\n" in request
    assert re.search(rb"\r\nX-Request-Id: [0-9a-f-]{36}\r\n", request)
    started_ms = int(re.search(rb"\r\nX-Request-Start: (\d+)\r\n", request)[1])
    assert abs(started_ms / 1000 - time.time()) < 60


def test_an_app_over_tcp_is_reached_too(router: Any, make_app: Any) -> None:
    app = make_app(tcp=True)
    router.publish(app.entry)
    assert router.fetch(app.host).body == b"hello"
    router.withdraw(app.id)


def test_an_instance_can_hand_the_router_no_descriptors(router: Any, app: Any) -> None:
    """The worker would close them, and wait for what lingers: all its visitors with it."""
    if not can_refuse():
        pytest.skip("this kernel (before 6.16) can't refuse descriptors")
    refused = []

    def script(instance: Conversation) -> None:
        instance.request()
        try:
            socket.send_fds(instance.socket, [ANSWER], [instance.socket.fileno()])
        except PermissionError as error:
            refused.append(error)
        instance.send(ANSWER)

    app.script = script
    assert router.fetch(app.host).body == b"hello"
    assert len(refused) == 1


def test_the_visitors_request_id_is_kept_when_it_is_safe(router: Any, app: Any) -> None:
    good, short, odd = b"a" * 20, b"short", b"x" * 19 + b'"' + b"y"
    for value in (good, short, odd):
        router.fetch(app.host, extra=b"X-Request-Id: %b\r\n" % value)
    kept = [
        value in request for value, request in zip((good, short, odd), app.requests, strict=True)
    ]
    assert kept == [True, False, False]


def test_hop_by_hop_headers_stay_on_their_hop(router: Any, app: Any) -> None:
    app.script = _answer(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Private\r\n"
        b"X-Private: 1\r\nKeep-Alive: timeout=5\r\nX-Public: 2\r\n\r\nok"
    )
    response = router.fetch(
        app.host,
        extra=b"Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 3\r\nTE: gzip\r\n",
    )
    assert response.headers == [("x-public", "2"), ("content-length", "2")]
    request = app.requests[0].lower()
    assert not any(
        name in request for name in (b"\nconnection", b"x-mine", b"keep-alive", b"\nte:")
    )


def test_connections_are_kept_on_both_sides(router: Any, app: Any) -> None:
    visitor = router.visit()
    for _ in range(5):
        visitor.get(app.host)
        assert visitor.response().body == b"hello"
    assert (app.connections, len(app.requests)) == (1, 5)


def test_pipelined_requests_are_answered_in_order_one_at_a_time(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        while True:
            target = talk.request().split(b" ")[1]
            assert not talk.buffer, "a second request came before the first was answered"
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    app.script = script
    visitor = router.visit()
    request = b"GET /%d HTTP/1.1\r\nHost: " + app.host + b"\r\n\r\n"
    visitor.send(b"".join(request % number for number in range(50)))
    assert [visitor.response().body for _ in range(50)] == [b"/%d" % n for n in range(50)]


def test_pipelined_requests_of_no_app_do_not_exhaust_the_stack(router: Any) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n" * 2000)
    assert all(visitor.response().status == 404 for _ in range(2000))


def test_pipelined_answers_wait_with_the_app_until_the_visitor_takes_them(
    patient: Any, make_app: Any, until: Any
) -> None:
    body = b"x" * 100_000
    app = make_app()
    app.script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body)
    patient.publish(app.entry)
    visitor = patient.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % app.host * 400)
    until(lambda: bool(app.requests))
    known = -1
    while known != len(app.requests):
        known = len(app.requests)
        time.sleep(0.5)  # that nothing more comes has no event
    assert 0 < known < 200
    for number in range(400):
        response = visitor.response()
        assert (number, response.status, response.body[:200]) == (number, 200, body[:200]), response
    assert len(app.requests) == 400
    patient.withdraw(app.id)


def test_requests_before_a_visitors_last_word_are_all_answered(router: Any, app: Any) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % app.host * 5)
    visitor.socket.shutdown(socket.SHUT_WR)
    assert [visitor.response().body for _ in range(5)] == [b"hello"] * 5


def test_a_malformed_request_after_an_answer_is_told_so(router: Any, app: Any) -> None:
    visitor = router.visit()
    visitor.get(app.host)
    assert visitor.response().status == 200
    visitor.send(b"BAD\r\n\r\n")
    assert visitor.response().status == 400


def test_a_flood_of_interim_answers_is_no_answer(router: Any, app: Any) -> None:
    app.script = answering(b"HTTP/1.1 102 Processing\r\n\r\n" * 2000)
    visitor = router.visit()
    visitor.get(app.host)
    statuses = [visitor.response().status for _ in range(17)]
    assert statuses == [102] * 16 + [503]


def test_pipelining_goes_on_after_a_body(router: Any, app: Any) -> None:
    visitor = router.visit()
    head = b"POST / HTTP/1.1\r\nHost: " + app.host + b"\r\n"
    visitor.send(
        head
        + b"Content-Length: 3\r\n\r\nabc"
        + head
        + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        + b"GET /end HTTP/1.1\r\nHost: "
        + app.host
        + b"\r\n\r\n"
    )
    assert [visitor.response().status for _ in range(3)] == [200, 200, 200]
    assert app.requests[0].endswith(b"\r\n\r\nabc")
    assert app.requests[1].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert app.requests[2].startswith(b"GET /end ")


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_bodies_of_any_size_go_through_both_ways(router: Any, app: Any, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def script(talk: Any) -> None:
        request = talk.request()
        echoed = request.partition(b"\r\n\r\n")[2]
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(echoed), echoed))

    app.script = script
    visitor = router.visit()
    head = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n" % (app.host, size)
    visitor.send(head + body)
    assert visitor.response().body == body


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_a_chunked_upload_arrives_whole_however_it_is_cut(router: Any, app: Any, cut: int) -> None:
    body = b"4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"
    message = b"POST / HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (
        app.host,
        body,
    )
    visitor = router.visit()
    for at in range(0, len(message), cut):
        visitor.send(message[at : at + cut])
    assert visitor.response().status == 200
    payload = _dechunk(app.requests[0].partition(b"\r\n\r\n")[2])
    assert payload == b"Wikipedia"
    assert b"name=value" not in app.requests[0]


def test_a_head_in_pieces_is_understood(router: Any, app: Any) -> None:
    visitor = router.visit()
    for byte in b"GET / HTTP/1.1\r\nHost: " + app.host + b"\r\n\r\n":
        visitor.send(bytes([byte]))
    assert visitor.response().body == b"hello"


@pytest.mark.parametrize("cut", [1, 9, 100_000])
def test_a_response_in_pieces_is_understood(router: Any, app: Any, cut: int) -> None:
    whole = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    )

    def script(talk: Any) -> None:
        talk.request()
        for at in range(0, len(whole), cut):
            talk.send(whole[at : at + cut])
        talk.wait_for_close()

    app.script = script
    assert router.fetch(app.host).body == b"hello!"


def test_a_body_until_close_is_chunked_and_the_visitors_connection_stays(
    router: Any, app: Any
) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.0 200 OK\r\n\r\nold but ")
        talk.send(b"good")

    app.script = script
    visitor = router.visit()
    for _ in range(2):
        visitor.get(app.host)
        response = visitor.response()
        assert response.body == b"old but good"
        assert response.header("transfer-encoding") == "chunked"


def test_a_visitor_of_http_1_0_gets_plain_bytes_and_a_close(router: Any, app: Any) -> None:
    app.script = _answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    )
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.0\r\nHost: " + app.host + b"\r\n\r\n")
    text = visitor.everything()
    assert text.endswith(b"\r\nConnection: close\r\n\r\nhello")
    assert b"chunked" not in text
    assert app.requests[0].startswith(b"GET / HTTP/1.1\r\n")


def test_a_visitor_of_http_1_0_may_keep_the_connection(router: Any, app: Any) -> None:
    visitor = router.visit()
    for _ in range(2):
        visitor.send(b"GET / HTTP/1.0\r\nHost: %b\r\nConnection: keep-alive\r\n\r\n" % app.host)
        response = visitor.response()
        assert (response.body, response.header("connection")) == (b"hello", "keep-alive")


def test_an_answer_of_our_own_to_http_1_0_closes(router: Any) -> None:
    """Who asks to keep the connection and hears nothing of it waits for its end."""
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.0\r\nHost: nobody.localhost\r\nConnection: keep-alive\r\n\r\n")
    response = visitor.response()
    assert (response.status, response.header("connection")) == (404, "close")
    assert visitor.is_closed()


def test_connection_close_is_obeyed(router: Any, app: Any) -> None:
    visitor = router.visit()
    visitor.get(app.host, extra=b"Connection: close\r\n")
    assert visitor.response().header("connection") == "close"
    assert visitor.is_closed()


@pytest.mark.parametrize(
    ("method", "head", "stray"),
    [
        (b"HEAD", b"200 OK\r\nContent-Length: 5", b""),
        (b"HEAD", b"200 OK\r\nTransfer-Encoding: chunked", b""),
        (b"GET", b"304 Not Modified\r\nContent-Length: 5", b""),
        (b"GET", b"204 No Content", b""),
        (b"GET", b"204 No Content\r\nContent-Length: 5", b"stray"),
        (b"HEAD", b"200 OK\r\nContent-Length: 5", b"stray"),
    ],
)
def test_responses_without_body_end_with_their_head(
    router: Any, app: Any, method: bytes, head: bytes, stray: bytes
) -> None:
    answers = [b"HTTP/1.1 %b\r\n\r\n%b" % (head, stray)]

    def script(talk: Any) -> None:
        while True:
            talk.request()
            talk.send(
                answers.pop() if answers else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
            )

    app.script = script
    visitor = router.visit()
    visitor.send(b"%b / HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, app.host))
    first = visitor.response(method)
    assert first.status == int(head[:3])
    if first.status == 204:
        assert first.header("content-length") is None
    visitor.get(app.host)
    assert visitor.response().body == b"next"
    assert app.connections == (2 if stray else 1)


def test_interim_responses_are_forwarded(router: Any, app: Any) -> None:
    app.script = _answer(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    visitor = router.visit()
    visitor.get(app.host)
    assert [visitor.response().status for _ in range(3)] == [103, 102, 200]


def test_interim_responses_are_kept_from_http_1_0(router: Any, app: Any) -> None:
    app.script = _answer(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.0\r\nHost: " + app.host + b"\r\n\r\n")
    assert visitor.everything().startswith(b"HTTP/1.1 200 ")


def test_the_app_decides_about_100_continue(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        head = talk.until(b"\r\n\r\n")
        assert b"\r\nExpect: 100-continue\r\n" in head
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = talk.exactly(4)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    head = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    visitor.send(head % app.host)
    assert visitor.response().status == 100
    visitor.send(b"body")
    assert visitor.response().body == b"body"


def test_a_refusal_instead_of_100_continue_closes(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.until(b"\r\n\r\n")
        talk.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    head = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    visitor.send(head % app.host)
    response = visitor.response()
    assert (response.status, response.header("connection")) == (401, "close")
    assert visitor.is_closed()


@pytest.mark.parametrize("app_closes", [True, False])
@pytest.mark.parametrize("tcp", [True, False])
def test_an_answer_before_the_upload_is_read_is_delivered(
    patient: Any, make_app: Any, app_closes: bool, tcp: bool
) -> None:
    def script(talk: Any) -> None:
        talk.until(b"\r\n\r\n")
        talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        if not app_closes:
            time.sleep(1)

    app = make_app(script, tcp=tcp)
    patient.publish(app.entry)
    visitor = patient.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 20000000\r\n\r\n" % app.host)
    part = b"x" * 65536
    try:
        for _ in range(100):
            visitor.send(part)
    except ConnectionError:
        pytest.fail("the router cut the upload before the answer could be read")
    response = visitor.response()
    assert (response.status, response.body) == (413, b"big")
    assert response.header("connection") == "close"
    patient.withdraw(app.id)


def test_a_visitor_that_only_closed_its_sending_half_gets_the_answer(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        time.sleep(0.3)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    visitor.shut()
    assert visitor.response().body == b"late"
    assert visitor.is_closed()


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (b"TE: trailers\r\nConnection: TE\r\n", True),
        (b"TE: gzip;q=0.5, Trailers\r\n", True),
        (b"TE: gzip, x-trailers\r\nConnection: TE\r\n", False),
        (b"", False),
    ],
)
def test_trailers_reach_the_visitor_that_asked_for_them(
    router: Any, app: Any, fields: bytes, asked: bool
) -> None:
    app.script = _answer(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n"
    )
    visitor = router.visit()
    visitor.get(app.host, extra=fields)
    response = visitor.response()
    assert (response.body, response.header("trailer")) == (b"ok", "X-Sum" if asked else None)
    assert visitor.trailers == ([b"X-Sum: 7"] if asked else [])


def test_events_are_passed_on_at_once(router: Any, app: Any) -> None:
    received: list[bytes] = []

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            talk.send(b"9\r\ndata: %d\n\n\r\n" % number)
            end = time.monotonic() + 5
            while len(received) <= number and time.monotonic() < end:
                time.sleep(0.005)
        talk.send(b"0\r\n\r\n")
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    visitor._until(b"\r\n\r\n")
    for number in range(3):
        received.append(visitor._until(b"data: %d\n\n\r\n" % number))
    assert len(received) == 3


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
)
def test_a_truncated_response_never_looks_complete(router: Any, app: Any, response: bytes) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(response)

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    text = visitor.everything()
    assert text.startswith(b"HTTP/1.1 200 ")
    assert not text.endswith(b"0\r\n\r\n")
    assert "at=error code=H1" in router.lines(app.id)[0]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
def test_a_truncated_response_ends_with_a_reset_for_http_1_0(
    router: Any, app: Any, response: bytes
) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(response)

    app.script = script
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % app.host)
    with pytest.raises(ConnectionResetError):
        while visitor.socket.recv(65536):
            pass
    assert "at=error code=H18" in router.lines(app.id)[0]


def test_two_responses_to_one_request_never_reach_the_next(router: Any, app: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    app.script = _answer(answer + b"1" + answer + b"2")
    visitor = router.visit()
    for _ in range(3):
        visitor.get(app.host)
        assert visitor.response().body == b"1"
    assert app.connections == 3


def test_bytes_on_an_idle_connection_spoil_it(router: Any, app: Any) -> None:
    answered, spoilt = threading.Event(), threading.Event()

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        assert answered.wait(PATIENCE_S)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        try:
            talk.wait_for_close()
        finally:
            spoilt.set()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    assert visitor.response().body == b"1"
    answered.set()
    assert spoilt.wait(PATIENCE_S)
    visitor.get(app.host)
    assert visitor.response().body == b"1"


@pytest.mark.parametrize(
    ("method", "retried"), [(b"GET", True), (b"DELETE", True), (b"POST", False), (b"PATCH", False)]
)
def test_a_pooled_connection_that_dies_at_use_is_retried_where_safe(
    router: Any, app: Any, method: bytes, retried: bool
) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        if app.connections == 1:
            talk.until(b"\r\n\r\n")
            talk.socket.close()
        else:
            talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.get(app.host)
    visitor.response()
    visitor.send(b"%b / HTTP/1.1\r\nHost: %b\r\nContent-Length: 0\r\n\r\n" % (method, app.host))
    assert visitor.response().status == (200 if retried else 503)
    assert app.connections == (2 if retried else 1)


def test_a_slow_reader_costs_little_memory(router: Any, app: Any) -> None:
    size = 200 * 1024 * 1024

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        part = b"x" * 1024 * 1024
        for _ in range(size // len(part)):
            talk.send(part)

    app.script = script
    (worker,) = router.worker_pids()
    before_kib = _resident_kib(worker)
    visitor = router.visit()
    visitor.get(app.host)
    visitor._until(b"\r\n\r\n")
    time.sleep(0.5)
    assert _resident_kib(worker) - before_kib < 8 * 1024
    visitor.close()


def test_a_slow_app_holds_the_upload_back(patient: Any, make_app: Any) -> None:
    over = threading.Event()

    def script(talk: Any) -> None:
        talk.until(b"\r\n\r\n")
        over.wait(PATIENCE_S)

    app = make_app(script)
    patient.publish(app.entry)
    (worker,) = patient.worker_pids()
    before_kib = _resident_kib(worker)
    visitor = patient.visit()
    visitor.send(b"PUT / HTTP/1.1\r\nHost: %b\r\nContent-Length: 900000000\r\n\r\n" % app.host)
    visitor.socket.settimeout(0.5)
    sent = 0
    with pytest.raises(TimeoutError):
        for _ in range(900):
            visitor.send(b"x" * 1_000_000)
            sent += 1
    assert _resident_kib(worker) - before_kib < 8 * 1024
    assert sent < 100
    visitor.close()
    over.set()
    patient.withdraw(app.id)


def test_every_request_has_its_line(router: Any, app: Any) -> None:
    router.fetch(app.host, b'/a"b\\c?d=1')
    (line,) = router.lines(app.id)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 heroku\[router\]: at=info method=GET "
        r'path="/a\\"b\\\\c\?d=1" host=app-[0-9a-f]{8}\.localhost request_id=[0-9a-f-]{36} '
        r'fwd="127\.0\.0\.1" dyno=web\.1 connect=\d+ms service=\d+ms status=200 bytes=5 '
        r"protocol=http",
        line,
    )


def test_a_visitor_can_forge_no_line(router: Any, app: Any) -> None:
    router.fetch(app.host, extra=b'X-Forwarded-For: a" status=200 b\xff\r\n')
    (line,) = router.lines(app.id)
    assert line.count(" status=") == 1
    assert 'fwd="127.0.0.1"' in line


def test_a_visitor_who_leaves_is_logged_as_gone(router: Any, app: Any) -> None:
    def script(talk: Any) -> None:
        talk.request()
        talk.wait_for_close()

    app.script = script
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 9\r\n\r\npart" % app.host)
    time.sleep(0.1)
    visitor.close()
    (line,) = router.lines(app.id)
    assert 'at=error code=H27 desc="Client Request Interrupted"' in line
    assert " status=499 " in line


def test_errors_are_pages_for_people_and_json_for_programs(router: Any) -> None:
    host = b"nobody.localhost"
    page = router.fetch(host, extra=b"Accept: text/html,*/*\r\n")
    assert page.status == 404
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert page.header("x-request-id") in page.body.decode()
    answer = router.fetch(host, extra=b"Accept: application/json\r\n")
    parsed = json.loads(answer.body)
    assert (parsed["code"], parsed["request_id"]) == ("H31", answer.header("x-request-id"))


def _answer(response: bytes) -> Any:
    def script(talk: Any) -> None:
        while True:
            talk.request()
            talk.send(response)

    return script


def _dechunk(body: bytes) -> bytes:
    payload = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            return payload
        payload, body = payload + body[:size], body[size + 2 :]


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
