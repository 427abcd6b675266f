"""Live counts each second, for who asks for them."""

import threading
from typing import Any

from router.keeper.live import LiveCounts, Reading
from router.memory.counters import BUCKETS, bucket


def _reading(requests: int, slot: int = 0, **more: Any) -> Reading:
    return Reading("a", slot, requests, **{"server_errors": 0, "in_flight": 0, "queued": 0, **more})


class Counted:
    """Histograms of apps all of whose requests took a millisecond and a half."""

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests
        self.read = 0

    def __call__(self, slot: int) -> list[int]:
        self.read += 1
        histogram = [0] * BUCKETS
        histogram[bucket(1500)] = self.requests
        return histogram


def test_a_beat_says_what_is_new() -> None:
    counted = Counted(10)
    live = LiveCounts([_reading(10)], counted)
    counted.requests = 13
    (counts,) = live.update([_reading(13, server_errors=1, in_flight=2, queued=1)]).values()
    limit_ms = counts["p50"]
    assert 1.5 <= limit_ms <= 2.3
    assert counts == {
        "requests": 3,
        "errors": 1,
        "p50": limit_ms,
        "p95": limit_ms,
        "p99": limit_ms,
        "in_flight": 2,
        "queued": 1,
    }


def test_an_app_without_any_requests_is_not_named_and_costs_little() -> None:
    counted = Counted(10)
    live = LiveCounts([_reading(10)], counted)
    assert live.update([_reading(10)]) == {}
    assert live.update([_reading(10, in_flight=1)])["a"]["requests"] == 0
    assert "p50" not in live.update([_reading(10, in_flight=1)])["a"]
    assert counted.read == 1


def test_an_app_that_comes_later_counts_from_nothing() -> None:
    live = LiveCounts([], Counted(4))
    assert live.update([_reading(4)])["a"]["requests"] == 4
    assert live.update([_reading(3, slot=1)])["a"]["requests"] == 3
    assert live.update([]) == {}


def test_counts_come_each_second(own_router: Any, make_app: Any, until: Any) -> None:
    go_on = threading.Event()

    def script(talk: Any) -> None:
        while True:
            slow = b"GET /slow " in talk.request()
            assert not slow or go_on.wait(30)
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    app, idle = make_app(script), make_app()
    own_router.publish(app.entry, idle.entry)
    with own_router.control_socket() as control, own_router.control_socket() as late:
        control.socket.settimeout(30)
        late.socket.settimeout(30)
        assert control.ask({"type": "counts"}) == {"type": "counting"}
        assert control.hear()["type"] == "counts"
        for _ in range(20):
            own_router.fetch(app.host)
        waiting = own_router.visit()
        waiting.get(app.host, b"/slow")
        requests = 0
        while True:
            said = control.hear()["apps"]
            assert set(said) <= {app.id}
            requests += said.get(app.id, {}).get("requests", 0)
            if requests >= 20 and said.get(app.id, {}).get("in_flight") == 1:
                break
        assert requests == 20
        assert late.ask({"type": "counts"}) == {"type": "counting"}
        go_on.set()
        assert waiting.response().status == 200
        while app.id not in (said := late.hear()["apps"]) or not said[app.id]["requests"]:
            pass
        assert said[app.id]["p99"] >= said[app.id]["p50"] > 0
        assert late.ask({"type": "status"})["type"] in ("status", "counts")
