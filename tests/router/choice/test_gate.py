"""What is asked of a request before an instance is chosen: rate, size, trace. Through a worker."""

import re
from typing import Any

import pytest

from router.choice import gate
from router.http.chunks import BoundedDecoder
from router.http.failures import BadRequest
from router.table.options import Routing


def test_an_app_that_asks_for_nothing_has_no_gate() -> None:
    assert gate.gate("a", Routing(sticky=True, concurrency=3)) is None


@pytest.mark.parametrize(
    ("routing", "interval_us", "burst"),
    [
        (Routing(requests_per_second=10), 100_000, 10),
        (Routing(requests_per_second=0.5), 2_000_000, 1),
        (Routing(requests_per_second=2, burst=20), 500_000, 20),
        (Routing(requests_per_second=1_000_000, burst=1), 1, 1),
        (Routing(trace=True, burst=3), 0, 3),
    ],
)
def test_the_rate_is_prepared(routing: Routing, interval_us: int, burst: int) -> None:
    made = gate.gate("a", routing)
    assert made is not None
    assert (made.interval_us, made.burst) == (interval_us, burst)


def test_a_chunked_body_is_counted_without_its_framing() -> None:
    decoder = BoundedDecoder(8)
    assert decoder.feed(b"5;x=y\r\nhello\r\n3\r\nyou\r\n") == b"helloyou"
    with pytest.raises(BadRequest) as refused:
        decoder.feed(b"1\r\n!\r\n0\r\n\r\n")
    assert refused.value.status == 413


def test_who_asks_too_often_is_told_when_to_come_back(router: Any, app: Any) -> None:
    router.publish({**app.entry, "routing": {"requests_per_second": 0.01, "burst": 3}})
    visitor = router.visit()
    answers = []
    for _ in range(5):
        visitor.get(app.host)
        answers.append(visitor.response())
    assert [each.status for each in answers] == [200, 200, 200, 429, 429]
    assert 90 <= int(answers[3].header("retry-after")) <= 100
    assert len(app.requests) == 3
    assert 'code=H25 desc="HTTP Restriction: too many requests"' in router.lines(app.id, 4)[3]


def test_the_rate_is_one_over_all_workers(own_router: Any, make_app: Any) -> None:
    app, other = make_app(), make_app()
    routing = {"requests_per_second": 0.01, "burst": 5}
    own_router.publish({**app.entry, "routing": routing}, other.entry)
    statuses = [own_router.fetch(app.host).status for _ in range(40)]
    assert statuses.count(200) == 5
    assert own_router.fetch(other.host).status == 200


@pytest.mark.parametrize("size", [10, 11])
def test_a_body_is_measured_before_anything_goes_to_the_app(
    router: Any, app: Any, size: int
) -> None:
    router.publish({**app.entry, "routing": {"body_bytes_max": 10}})
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n" % (app.host, size))
    if size == 10:
        visitor.send(b"x" * 10)
        assert visitor.response().status == 200
        return
    answer = visitor.response()
    assert answer.status == 413
    assert answer.header("connection") == "close"
    assert app.requests == []
    assert app.connections == 0


def test_a_chunked_body_is_cut_where_it_is_too_large(router: Any, app: Any) -> None:
    router.publish({**app.entry, "routing": {"body_bytes_max": 10}})
    head = b"POST / HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % app.host
    small, large = router.visit(), router.visit()
    small.send(head + b"a\r\n0123456789\r\n0\r\n\r\n")
    assert small.response().status == 200
    large.send(head + b"a\r\n0123456789\r\n")
    large.send(b"1\r\nx\r\n0\r\n\r\n")
    answer = large.response()
    assert (answer.status, answer.header("connection")) == (413, "close")
    assert len(app.requests) == 1


def test_a_trace_is_passed_or_made_for_who_asks_for_it(router: Any, app: Any) -> None:
    given = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n"
    router.fetch(app.host)
    router.publish({**app.entry, "routing": {"trace": True}})
    visitor = router.visit()
    for extra in (b"", given, b"", b"traceparent: 00-1-1-1\r\n"):
        visitor.get(app.host, extra=extra)
        assert visitor.response().status == 200
    parents = [re.findall(rb"\r\ntraceparent: ([^\r]*)", each) for each in app.requests]
    assert [len(each) for each in parents] == [0, 1, 1, 1, 1]
    assert parents[2] == [given[13:-2]]
    assert len({each[0] for each in parents[1:]}) == 4
