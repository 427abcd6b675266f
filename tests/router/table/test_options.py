"""What an app asks of its routing, through a real worker."""

import os
import signal
import socket
import struct
import threading
import time
from typing import Any

BROWSER = b"Accept: text/html,*/*\r\n"


def _entry(app: Any, routing: dict[str, Any], others: Any = (), **more: Any) -> dict[str, Any]:
    """The app's entry, with the other apps' targets as further instances."""
    instances = [*app.entry["instances"], *(each.entry["instances"][0] for each in others)]
    named = [
        {**each, "name": f"web.{number}", "release": 10 + number}
        for number, each in enumerate(instances, 1)
    ]
    return {**app.entry, "instances": named, "routing": routing, **more}


def _silent(talk: Any) -> None:
    talk.request()
    talk.wait_for_close()


class Gate:
    """An app's script that answers a request when it is told to; counts those it has."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.present = 0
        self.most = 0
        self.allowed = 0

    def __call__(self, talk: Any) -> None:
        while True:
            talk.request()
            with self.lock:
                self.present += 1
                self.most = max(self.most, self.present)
                self.lock.notify_all()
                assert self.lock.wait_for(lambda: self.allowed > 0, 30)
                self.allowed -= 1
                self.present -= 1
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def wait(self, present: int) -> None:
        with self.lock:
            assert self.lock.wait_for(lambda: self.present == present, 30)

    def let(self, count: int) -> None:
        with self.lock:
            self.allowed += count
            self.lock.notify_all()


def test_an_apps_own_first_byte_limit_is_obeyed(router: Any, app: Any) -> None:
    """The router's is two seconds: the app answers after it."""

    def slow(talk: Any) -> None:
        talk.request()
        time.sleep(3.2)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    app.script = slow
    router.publish(_entry(app, {"first_byte_timeout_s": 25}))
    assert router.fetch(app.host).body == b"late"
    app.script = _silent
    router.publish(_entry(app, {"first_byte_timeout_s": 0.1}))
    assert router.fetch(app.host).status == 503
    assert "code=H12 " in router.lines(app.id, 2)[1]


def test_an_apps_own_rolling_limit_is_obeyed(router: Any, app: Any) -> None:
    def halting(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        time.sleep(4)
        talk.send(b"half")

    app.script = halting
    router.publish(_entry(app, {"rolling_timeout_s": 25}))
    assert router.fetch(app.host).body == b"halfhalf"


def test_a_browser_gets_the_owners_page_and_a_program_json(router: Any, app: Any) -> None:
    urls = {
        "error_page_url": "https://e.example/error.html?a=1&b=2",
        "maintenance_page_url": "https://e.example/back-soon.html",
    }
    router.publish({**_entry(app, urls), "instances": []})
    page = router.fetch(app.host, extra=BROWSER)
    assert page.status == 503
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert b'<iframe src="https://e.example/error.html?a=1&amp;b=2"' in page.body
    assert b'"code": "H14"' in router.fetch(app.host).body
    router.publish(_entry(app, urls, maintenance=True))
    page = router.fetch(app.host, extra=BROWSER)
    assert page.status == 503
    assert b'<iframe src="https://e.example/back-soon.html"' in page.body


def test_a_visitors_mistake_is_not_shown_the_owners_page(router: Any, app: Any) -> None:
    router.publish(_entry(app, {"error_page_url": "https://e.example/"}))
    page = router.fetch(app.host, extra=b"Expect: wonders\r\n" + BROWSER)
    assert page.status == 417
    assert b"iframe" not in page.body


def test_what_is_over_the_limit_waits_in_order(own_router: Any, make_app: Any, until: Any) -> None:
    """Also over two workers that do not speak with each other."""
    gate = Gate()
    app = make_app(gate)
    own_router.publish(_entry(app, {"concurrency": 2, "queue_timeout_s": 60}))
    visitors = [own_router.visit() for _ in range(12)]
    for number, visitor in enumerate(visitors):
        visitor.get(app.host, b"/%d" % number)
        if number < 2:
            gate.wait(number + 1)
    until(lambda: own_router.ask({"type": "status"})["apps"][app.id]["queued"] == 10)
    assert own_router.ask({"type": "status"})["apps"][app.id]["in_flight"] == 2
    for number in range(10):
        gate.let(1)
        until(lambda n=number: len(app.requests) == n + 3)
    gate.let(2)
    assert [visitor.response().status for visitor in visitors] == [200] * 12
    assert gate.most == 2
    # A visitor has its answer a moment before its worker has counted it.
    until(lambda: own_router.ask({"type": "status"})["apps"][app.id]["in_flight"] == 0)
    assert own_router.ask({"type": "status"})["apps"][app.id]["queued"] == 0


def test_the_limit_is_per_instance(router: Any, make_app: Any) -> None:
    gates = [Gate(), Gate()]
    first, second = (make_app(gate) for gate in gates)
    limits = {"concurrency": 1, "queue_timeout_s": 60, "first_byte_timeout_s": 60}
    router.publish(_entry(first, limits, [second]))
    visitors = [router.visit() for _ in range(3)]
    for visitor in visitors:
        visitor.get(first.host)
    for gate in gates:
        gate.wait(1)
        gate.let(3)
    assert [visitor.response().status for visitor in visitors] == [200] * 3
    assert [gate.most for gate in gates] == [1, 1]
    router.withdraw(first.id)


def test_a_full_queue_is_h11_and_a_long_wait_h12(
    own_router: Any, make_app: Any, until: Any
) -> None:
    gate = Gate()
    app = make_app(gate)
    own_router.publish(_entry(app, {"concurrency": 1, "queue_max": 1, "queue_timeout_s": 60}))
    visitors = [own_router.visit() for _ in range(2)]
    visitors[0].get(app.host)
    gate.wait(1)
    visitors[1].get(app.host)
    until(lambda: own_router.ask({"type": "status"})["apps"][app.id]["queued"] == 1)
    assert own_router.fetch(app.host).status == 503
    assert 'code=H11 desc="Backlog too deep"' in own_router.lines(app.id)[0]
    gate.let(1)
    assert visitors[0].response().status == 200
    gate.wait(1)
    own_router.publish(_entry(app, {"concurrency": 1, "queue_max": 1, "queue_timeout_s": 0.5}))
    assert own_router.fetch(app.host).status == 503
    assert 'code=H12 desc="Request timeout"' in own_router.lines(app.id, 3)[2]
    gate.let(1)
    assert visitors[1].response().status == 200


def test_whoever_leaves_the_queue_leaves_no_place_taken(
    router: Any, make_app: Any, until: Any
) -> None:
    gate = Gate()
    app = make_app(gate)
    router.publish(
        _entry(app, {"concurrency": 1, "queue_timeout_s": 25, "first_byte_timeout_s": 25})
    )
    first, gone, last = (router.visit() for _ in range(3))
    first.get(app.host)
    gate.wait(1)
    gone.get(app.host)
    until(lambda: router.ask({"type": "status"})["apps"][app.id]["queued"] == 1)
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    until(lambda: router.ask({"type": "status"})["apps"][app.id]["queued"] == 0)
    last.get(app.host)
    gate.let(2)
    assert [first.response().status, last.response().status] == [200, 200]
    assert len(app.requests) == 2
    router.withdraw(app.id)


def test_a_cookie_leads_back_to_the_same_instance(router: Any, make_app: Any) -> None:
    apps = [make_app() for _ in range(3)]
    router.publish(_entry(apps[0], {"sticky": True}, apps[1:]))
    host = apps[0].host
    given = router.fetch(host).header("set-cookie")
    assert given.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert all(each.id not in given for each in apps)
    seen = [len(each.requests) for each in apps]
    cookie = b"Cookie: " + given.split(";")[0].encode() + b"\r\n"
    for _ in range(20):
        assert router.fetch(host, extra=cookie).header("set-cookie") is None
    more = [len(each.requests) - before for each, before in zip(apps, seen, strict=True)]
    assert sorted(more) == [0, 0, 20]
    stuck = more.index(20)
    entry = _entry(apps[0], {"sticky": True}, apps[1:])
    entry["instances"].pop(stuck)
    router.publish(entry)
    assert router.fetch(host, extra=cookie).header("set-cookie") != given
    router.withdraw(apps[0].id)


def test_a_cookie_is_not_given_to_another_app_of_the_connection(router: Any, make_app: Any) -> None:
    sticky, plain = make_app(), make_app()
    router.publish(_entry(sticky, {"sticky": True}), plain.entry)
    visitor = router.visit()
    cookies = []
    for app in (sticky, plain, sticky, plain):
        visitor.get(app.host)
        cookies.append(visitor.response().header("set-cookie") is not None)
    assert cookies == [True, False, True, False]
    for each in (sticky, plain):
        router.withdraw(each.id)


def test_a_header_leads_to_a_release_that_gets_nothing_else(
    router: Any, make_app: Any, until: Any
) -> None:
    stable, canary = make_app(), make_app()
    rules = [{"header": "X-Canary", "value": "yes", "release": 12}]
    entry = _entry(stable, {}, [canary], weights={"11": 100, "12": 0}, rules=rules)
    router.publish(entry)
    for _ in range(10):
        router.fetch(stable.host)
        router.fetch(stable.host, extra=b"X-Canary: yes\r\n")
    assert (len(stable.requests), len(canary.requests)) == (10, 10)
    assert all(b"X-Canary: yes" in each for each in canary.requests)
    router.publish({**entry, "weights": {"11": 50, "12": 50}, "rules": []})
    until(lambda: router.fetch(stable.host).status == 200 and len(canary.requests) > 10)
    router.withdraw(stable.id)


def test_the_limit_holds_and_nothing_is_left_behind_under_load(
    own_router: Any, make_app: Any, until: Any
) -> None:
    """Forty visitors over two workers fight for four places while tables come and go."""
    gates = [Gate(), Gate()]
    for gate in gates:
        gate.let(1_000_000)
    first, second = (make_app(gate) for gate in gates)
    routing = {"concurrency": 2, "queue_timeout_s": 60, "sticky": True}
    entry = _entry(first, routing, [second])
    own_router.publish(entry)
    statuses: list[int] = []

    def visit() -> None:
        visitor = own_router.visit()
        visitor.socket.settimeout(60)
        for _ in range(15):
            visitor.get(first.host)
            statuses.append(visitor.response().status)
        visitor.close()

    threads = [threading.Thread(target=visit) for _ in range(40)]
    for thread in threads:
        thread.start()
    for number in range(6):
        weights = {"11": 1, "12": 1} if number % 2 else {}
        own_router.publish({**entry, "weights": weights})
    for thread in threads:
        thread.join()
    assert statuses == [200] * 600
    assert all(0 < gate.most <= 2 for gate in gates)

    def left() -> tuple[int, int]:
        status = own_router.ask({"type": "status"})["apps"][first.id]
        return status["queued"], status["in_flight"]

    until(lambda: left() == (0, 0))


def test_the_places_of_a_worker_that_died_are_free_again(
    own_router: Any, make_app: Any, until: Any
) -> None:
    gate = Gate()
    app = make_app(gate)
    own_router.publish(_entry(app, {"concurrency": 1, "queue_timeout_s": 60}))
    visitors = [own_router.visit() for _ in range(12)]
    visitors[0].get(app.host)
    gate.wait(1)
    for visitor in visitors[1:]:
        visitor.get(app.host)

    def status() -> Any:
        return own_router.ask({"type": "status"})["apps"][app.id]

    until(lambda: status()["queued"] == 11)
    os.kill(own_router.worker_pids()[0], signal.SIGKILL)
    gate.let(1_000)
    answered = 0
    for visitor in visitors:
        visitor.socket.settimeout(60)
        try:
            answered += visitor.response().status == 200
        except (EOFError, ConnectionError):
            continue
    until(lambda: (status()["queued"], status()["in_flight"]) == (0, 0))
    assert status()["status_2xx"] == answered
    assert status()["status_5xx"] == 0
