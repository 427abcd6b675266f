"""The keeper and its workers: tables, notes, drains, crashes, generations."""

import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import has_ended
from tests.router.conftest import PATIENCE_S, Router

_FETCH_PAUSE_S = 0.002
PROBES = 3


class Prober:
    """Asks again and again, on new and on kept connections, and keeps what went wrong."""

    def __init__(self, router: Any, host: bytes) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._router = router
        self._host = host
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._probe, args=(number % 2 == 0,))
            for number in range(PROBES)
        ]

    def __enter__(self) -> "Prober":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait(self, more: int = 100) -> None:
        """Until so many more requests were answered."""
        goal, end = self.answered + more, time.monotonic() + PATIENCE_S
        while self.answered < goal:
            assert time.monotonic() < end, f"stuck at {self.answered}: {self.failed[:3]}"
            time.sleep(0.01)

    def _probe(self, kept: bool) -> None:
        visitor = None
        while not self._over.is_set():
            try:
                visitor = visitor or self._router.visit()
                visitor.get(self._host)
                response = visitor.response()
                if response.status != 200:
                    self.failed.append(f"{response.status} {response.body!r}")
                self.answered += 1
                if not kept or response.header("connection") == "close":
                    visitor.close()
                    visitor = None
            except (OSError, EOFError) as error:
                self.failed.append(repr(error))
                visitor = None
            time.sleep(_FETCH_PAUSE_S)
        if visitor is not None:
            visitor.close()


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


@pytest.fixture
def live(own_router: Any, make_app: Any) -> Iterator[Any]:
    app = make_app()
    own_router.publish(app.entry)
    yield app


def test_a_table_is_applied_by_all_workers_and_is_on_disk(own_router: Any, live: Any) -> None:
    status = own_router.ask({"type": "status"})
    assert status["version"] == 1
    assert [worker["version"] for worker in status["workers"]] == [1, 1]
    on_disk = json.loads((own_router.folder / "table.json").read_text())
    assert on_disk["apps"] == [live.entry]


def test_an_older_table_is_answered_with_the_version_in_force(own_router: Any, live: Any) -> None:
    own_router.publish()
    old = {"version": 1, "bases": [], "apps": []}
    answer = own_router.ask({"type": "table", "table": old})
    assert answer == {"type": "applied", "version": 2}
    assert own_router.fetch(live.host).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "table", "table": {"version": 9}},
        {"type": "table", "table": {"version": 9, "bases": ["UPPER"], "apps": []}},
        {"type": "table"},
        {"type": "dance"},
        {},
        {"type": "machine", "machine": 3, "up": True},
    ],
)
def test_what_can_not_be_obeyed_is_an_error_and_changes_nothing(
    router: Any, app: Any, request_: Any
) -> None:
    before = router.ask({"type": "status"})["version"]
    answer = router.ask(request_)
    assert answer["type"] == "error"
    assert answer["message"]
    assert router.ask({"type": "status"})["version"] == before
    assert router.fetch(app.host).status == 200


def test_requests_on_one_connection_are_answered_in_order(router: Any) -> None:
    with router.control_socket() as control:
        for _ in range(10):
            control.say({"type": "status"})
            control.say({"type": "machine", "machine": "x", "up": True})
        kinds = [control.hear()["type"] for _ in range(20)]
    assert kinds == ["status", "noted"] * 10


def test_garbage_on_the_keepers_socket_harms_nobody(router: Any, app: Any) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\5{bad}", b"\0\0\0\2[]", b"\0\0"):
        with router.control_socket() as control:
            control.socket.sendall(garbage)
            control.socket.shutdown(1)
            with contextlib.suppress(EOFError, ConnectionError):
                control.hear()
    assert router.fetch(app.host).status == 200


def test_a_switch_of_instances_loses_no_request(own_router: Any, make_app: Any, live: Any) -> None:
    apps = [live, make_app(), make_app(tcp=True)]
    with Prober(own_router, live.host) as prober:
        for turn in range(12):
            other = apps[turn % 3]
            instance = {"id": f"turn-{turn}", "name": "web.1", "target": other.target}
            own_router.publish({**live.entry, "instances": [instance]})
            seen = len(other.requests)
            prober.wait(30)
            assert len(other.requests) > seen
    assert prober.failed == []


def test_after_applied_no_request_goes_to_the_old_instance(
    own_router: Any, make_app: Any, live: Any
) -> None:
    new = make_app()
    with Prober(own_router, live.host) as prober:
        prober.wait()
        instance = {"id": "new", "name": "web.1", "target": new.target}
        own_router.publish({**live.entry, "instances": [instance]})
        answer = own_router.ask({"type": "drain", "instance": live.entry["instances"][0]["id"]})
        assert answer["type"] == "drained"
        seen = len(live.requests)
        prober.wait(200)
    assert len(live.requests) == seen
    assert prober.failed == []


def test_drained_waits_for_what_is_in_flight(own_router: Any, make_app: Any, live: Any) -> None:
    go_on = threading.Event()

    def script(talk: Any) -> None:
        talk.request()
        go_on.wait(PATIENCE_S)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
        talk.wait_for_close()

    live.script = script
    visitor = own_router.visit()
    visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 1)
    own_router.publish({**live.entry, "instances": []})
    with own_router.control_socket() as control:
        control.say({"type": "drain", "instance": live.entry["instances"][0]["id"]})
        control.socket.settimeout(0.4)
        with pytest.raises(TimeoutError):
            control.hear()
        go_on.set()
        control.socket.settimeout(PATIENCE_S)
        assert visitor.response().body == b"last"
        assert control.hear()["type"] == "drained"


def test_an_instance_in_the_table_can_not_be_drained(own_router: Any, live: Any) -> None:
    answer = own_router.ask({"type": "drain", "instance": live.entry["instances"][0]["id"]})
    assert answer["type"] == "error"


def test_an_instance_that_is_down_is_not_picked(own_router: Any, make_app: Any, live: Any) -> None:
    other = make_app()
    ids = ("down-1", "up-1")
    instances = [
        {"id": id, "name": f"web.{number}", "target": each.target}
        for number, (id, each) in enumerate(zip(ids, (live, other), strict=True), 1)
    ]
    own_router.publish({**live.entry, "instances": instances})
    own_router.ask({"type": "machine", "machine": "down-1", "up": False})
    _wait_until(lambda: own_router.ask({"type": "status"})["version"] == 2)
    own_router.publish()
    seen = len(live.requests)
    for _ in range(30):
        assert own_router.fetch(live.host).status == 200
    assert len(live.requests) == seen
    own_router.ask({"type": "machine", "machine": "down-1", "up": True})
    own_router.publish()
    for _ in range(60):
        own_router.fetch(live.host)
    assert len(live.requests) > seen


def test_requests_wait_while_all_instances_are_down(own_router: Any, live: Any) -> None:
    id = live.entry["instances"][0]["id"]
    own_router.ask({"type": "machine", "machine": id, "up": False})
    own_router.publish({**live.entry, "routing": {"queue_timeout_s": PATIENCE_S}})
    visitor = own_router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 4\r\n\r\nbo" % live.host)
    visitor.send(b"dy")
    _wait_until(lambda: own_router.ask({"type": "status"})["apps"][live.id]["queued"] == 1)
    assert live.requests == []
    own_router.ask({"type": "machine", "machine": id, "up": True})
    assert visitor.response().status == 200
    assert live.requests[0].endswith(b"body")


def test_a_queue_that_is_full_is_h11(router: Any, tmp_path: Any, make_app: Any) -> None:
    small = type(router)(tmp_path, limits=("queue_length=2",))
    try:
        app = make_app()
        small.publish(app.entry)
        id = app.entry["instances"][0]["id"]
        small.ask({"type": "machine", "machine": id, "up": False})
        small.publish()
        visitors = [small.visit() for _ in range(2)]
        for visitor in visitors:
            visitor.get(app.host)
        _wait_until(lambda: small.ask({"type": "status"})["apps"][app.id]["queued"] == 2)
        assert small.fetch(app.host).status == 503
        assert "code=H11 " in small.lines(app.id)[0]
        small.ask({"type": "machine", "machine": id, "up": True})
        assert [visitor.response().status for visitor in visitors] == [200, 200]
    finally:
        small.stop()


def test_requests_that_wait_too_long_are_h20(own_router: Any, live: Any) -> None:
    id = live.entry["instances"][0]["id"]
    own_router.ask({"type": "machine", "machine": id, "up": False})
    own_router.publish()
    assert own_router.fetch(live.host).status == 503
    assert "code=H20 " in own_router.lines(live.id)[0]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"state": "blank", "instances": []}, 503, "H81"),
        ({"state": "crashed", "instances": []}, 503, "H10"),
        ({"instances": []}, 503, "H14"),
        ({"maintenance": True}, 503, "H80"),
    ],
)
def test_an_app_that_can_not_answer_has_its_code(
    router: Any, app: Any, changes: Any, status: int, code: str
) -> None:
    router.publish({**app.entry, **changes})
    assert router.fetch(app.host).status == status
    assert f"at=error code={code} " in router.lines(app.id)[0]


def test_a_watcher_hears_which_app_is_wanted(router: Any, app: Any) -> None:
    router.publish({**app.entry, "instances": []})
    with router.control_socket() as control:
        assert control.ask({"type": "watch"}) == {"type": "watching"}
        router.fetch(app.host)
        assert control.hear() == {"type": "wake", "app": app.id}


@pytest.mark.parametrize(("tcp", "code"), [(True, "H21"), (False, "H20")])
def test_another_instance_is_tried_before_a_refusal_counts(
    router: Any, make_app: Any, tcp: bool, code: str
) -> None:
    """A Unix socket refuses while its machine is not there: that is waited for."""
    dead, alive = make_app(tcp=tcp), make_app()
    dead.close()
    instances = [
        {"id": "dead", "name": "web.1", "target": dead.target},
        {"id": "alive", "name": "web.2", "target": alive.target},
    ]
    router.publish({**dead.entry, "instances": instances})
    for _ in range(20):
        assert router.fetch(dead.host).status == 200
    router.publish({**dead.entry, "instances": instances[:1]})
    assert router.fetch(dead.host).status == 503
    assert f"code={code} " in router.lines(dead.id, 21)[20]
    router.withdraw(dead.id)


def test_a_request_that_its_instance_leaves_unanswered_goes_to_one_other_where_safe(
    router: Any, make_app: Any
) -> None:
    def dies(talk: Any) -> None:
        talk.request()

    dying, dying_too, alive = make_app(dies), make_app(dies), make_app()
    instances = [
        {"id": f"left-{number}", "name": f"web.{number}", "target": each.target}
        for number, each in enumerate((dying, alive, dying_too), 1)
    ]
    router.publish({**dying.entry, "instances": instances[:2]})
    statuses = [router.fetch(dying.host).status for _ in range(20)]
    assert statuses == [200] * 20
    assert dying.requests
    dying.requests.clear()
    post = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 0\r\n\r\n" % dying.host
    visitors = [router.visit() for _ in range(20)]
    for visitor in visitors:
        visitor.send(post)
    statuses = [visitor.response().status for visitor in visitors]
    assert statuses.count(503) == len(dying.requests) > 0

    dying.requests.clear()
    router.publish({**dying.entry, "instances": [instances[0], instances[2]]})
    assert router.fetch(dying.host).status == 503
    assert (len(dying.requests), len(dying_too.requests)) == (1, 1)
    assert "code=H13 " in router.lines(dying.id, 41)[40]
    router.withdraw(dying.id)


def test_requests_go_where_the_fewest_are(own_router: Any, make_app: Any, live: Any) -> None:
    """Also over two workers that do not speak with each other."""
    hold = threading.Event()

    def stuck(talk: Any) -> None:
        talk.request()
        hold.wait(PATIENCE_S)

    apps = [make_app(stuck) for _ in range(4)]
    instances = [
        {"id": f"even-{number}", "name": f"web.{number}", "target": each.target}
        for number, each in enumerate(apps)
    ]
    own_router.publish({**live.entry, "instances": instances})
    visitors = [own_router.visit() for _ in range(20)]
    for number, visitor in enumerate(visitors, 1):
        visitor.get(live.host)
        _wait_until(lambda n=number: sum(len(each.requests) for each in apps) == n)
    assert [len(each.requests) for each in apps] == [5, 5, 5, 5]
    hold.set()


def test_a_killed_worker_is_replaced_at_once(own_router: Any, live: Any) -> None:
    before = own_router.worker_pids()
    for _ in range(3):
        pid = own_router.worker_pids()[0]
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda pid=pid: pid not in own_router.worker_pids())
        for _ in range(20):
            assert own_router.fetch(live.host).status == 200
    _wait_until(lambda: len(own_router.worker_pids()) == 2)
    assert not set(before) <= set(own_router.worker_pids())


def test_requests_to_the_keeper_do_not_wait_for_a_worker_that_starts(
    own_router: Any, live: Any
) -> None:
    starting, serving = _stopped_at_its_start(own_router)
    try:
        own_router.publish({**live.entry, "instances": []})
        instance = live.entry["instances"][0]["id"]
        assert own_router.ask({"type": "drain", "instance": instance})["type"] == "drained"
        own_router.publish({**live.entry, "domains": ["www.example.org"]})
        assert [w["version"] for w in _workers(own_router) if w["pid"] == starting] == [-1]
    finally:
        os.kill(starting, signal.SIGCONT)
    _wait_until(lambda: all(w["version"] >= 3 for w in _workers(own_router, 2)))
    os.kill(serving, signal.SIGKILL)  # so that the other one answers
    assert own_router.fetch(b"www.example.org").status == 200


def _stopped_at_its_start(router: Any) -> tuple[int, int]:
    """Kill a worker and stop the one in its place before it can be told anything; both pids."""
    for _ in range(20):
        _wait_until(lambda: all(w["present"] for w in _workers(router, 2)))
        killed, serving = router.worker_pids()
        os.kill(killed, signal.SIGKILL)
        _wait_until(lambda killed=killed: len(set(router.worker_pids()) - {killed}) == 2)
        (starting,) = set(router.worker_pids()) - {serving}
        os.kill(starting, signal.SIGSTOP)
        router.ask({"type": "status"})  # what it had said before is heard now
        if [w["present"] for w in _workers(router) if w["pid"] == starting] == [False]:
            return starting, serving
        os.kill(starting, signal.SIGKILL)
    raise AssertionError("no worker could be stopped in time")


def test_what_a_dead_worker_had_in_flight_is_not_waited_for(own_router: Any, live: Any) -> None:
    def stuck(talk: Any) -> None:
        talk.request()
        talk.wait_for_close()

    live.script = stuck
    visitors = [own_router.visit() for _ in range(8)]
    for visitor in visitors:
        visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 8)
    for pid in own_router.worker_pids():
        os.kill(pid, signal.SIGKILL)
    own_router.publish({**live.entry, "instances": []})
    answer = own_router.ask({"type": "drain", "instance": live.entry["instances"][0]["id"]})
    assert answer["type"] == "drained"


def test_totals_survive_a_worker(own_router: Any, live: Any) -> None:
    for _ in range(10):
        own_router.fetch(live.host)
    _wait_until(lambda: own_router.ask({"type": "status"})["apps"][live.id]["requests"] == 10)
    killed = own_router.worker_pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: set(killed).isdisjoint(own_router.worker_pids()))
    _wait_until(lambda: all(w["version"] >= 1 for w in _workers(own_router, 2)))
    own_router.fetch(live.host)
    _wait_until(lambda: own_router.ask({"type": "status"})["apps"][live.id]["requests"] == 11)


def test_a_new_generation_loses_no_request(own_router: Any, live: Any) -> None:
    before = set(own_router.worker_pids())
    with Prober(own_router, live.host) as prober:
        for _ in range(3):
            prober.wait(50)
            own_router.process.send_signal(signal.SIGHUP)
            _wait_until(lambda old=before: old.isdisjoint(own_router.worker_pids()))
            before = set(own_router.worker_pids())
        prober.wait(50)
    assert prober.failed == []


def test_a_leaving_generation_obeys_tables_until_it_is_gone(
    own_router: Any, make_app: Any, live: Any
) -> None:
    go_on = threading.Event()

    def slow(talk: Any) -> None:
        talk.request()
        go_on.wait(28)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    live.script = slow
    visitor = own_router.visit()
    visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 1)
    own_router.process.send_signal(signal.SIGHUP)
    _wait_until(lambda: any(worker["leaving"] for worker in _workers(own_router)))
    own_router.publish({**live.entry, "instances": []})
    assert all(worker["version"] == 2 for worker in _workers(own_router))
    with own_router.control_socket() as control:
        control.say({"type": "drain", "instance": live.entry["instances"][0]["id"]})
        control.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            control.hear()
        go_on.set()
        control.socket.settimeout(PATIENCE_S)
        assert control.hear()["type"] == "drained"
    assert visitor.response().header("connection") is None or visitor.is_closed()


def test_nobody_leaves_for_workers_that_do_not_serve_yet(own_router: Any, live: Any) -> None:
    """Also where a new generation is asked for again meanwhile."""
    before = set(own_router.worker_pids())
    stopped: list[int] = []
    try:
        own_router.ask({"type": "renew"})
        while len(stopped) < 2:
            new = set(own_router.worker_pids()) - before - set(stopped)
            for pid in new:
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        own_router.ask({"type": "renew"})
        own_router.ask({"type": "drain", "instance": "nobody"})  # the keeper looks at all of them
        starting = [w for w in _workers(own_router) if w["pid"] in stopped and w["version"] < 0]
        leaving = {w["pid"] for w in _workers(own_router) if w["leaving"]}
        if starting:  # else they were too quick to be stopped
            assert not leaving & before
            assert own_router.fetch(live.host).status == 200
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    _wait_until(lambda: {w["generation"] for w in _workers(own_router)} == {3})
    assert own_router.fetch(live.host).status == 200


def test_a_worker_is_deaf_to_a_terminals_hangup(own_router: Any, live: Any) -> None:
    before = own_router.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGHUP)
    assert own_router.ask({"type": "drain", "instance": "nobody"})["type"] == "drained"
    assert own_router.worker_pids() == before


def test_without_a_table_nobody_is_told_that_there_is_no_such_app(tmp_path: Path) -> None:
    router = Router(tmp_path)
    try:
        answer = router.fetch(b"hello.localhost")
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        assert "code=H99 " in router.lines("unrouted")[0]
        router.publish()
        assert router.fetch(b"hello.localhost").status == 404
    finally:
        router.stop()


def test_the_keeper_may_be_killed_and_started_again(own_router: Any, live: Any) -> None:
    """It serves the last table from disk; who connects meanwhile waits in the socket's queue."""
    workers = own_router.worker_pids()
    own_router.process.kill()
    own_router.process.wait()
    for pid in workers:
        _wait_until(lambda pid=pid: has_ended(pid))
    visitor = own_router.visit()
    visitor.get(live.host)
    own_router.start()
    assert visitor.response().status == 200
    assert own_router.ask({"type": "status"})["version"] == 1


def test_workers_of_a_killed_keeper_finish_what_is_in_flight(own_router: Any, live: Any) -> None:
    def slow(talk: Any) -> None:
        talk.request()
        time.sleep(0.7)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    live.script = slow
    visitor = own_router.visit()
    visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 1)
    own_router.process.kill()
    own_router.process.wait()
    assert visitor.response().body == b"late"
    own_router.start()


def test_an_instance_is_drained_only_when_orphaned_workers_are_done(
    own_router: Any, live: Any
) -> None:
    go_on = threading.Event()

    def slow(talk: Any) -> None:
        talk.request()
        go_on.wait(28)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    live.script = slow
    visitor = own_router.visit()
    visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 1)
    for _ in range(2):
        own_router.process.kill()
        own_router.process.wait()
        own_router.start()
    own_router.publish({**live.entry, "instances": []})
    with own_router.control_socket() as control:
        control.say({"type": "drain", "instance": live.entry["instances"][0]["id"]})
        control.socket.settimeout(0.4)
        with pytest.raises(TimeoutError):
            control.hear()
        go_on.set()
        control.socket.settimeout(30)
        assert control.hear()["type"] == "drained"
    assert visitor.response().body == b"late"


def test_sigterm_finishes_what_is_in_flight(own_router: Any, live: Any) -> None:
    def slow(talk: Any) -> None:
        talk.request()
        time.sleep(0.7)
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    live.script = slow
    visitor = own_router.visit()
    visitor.get(live.host)
    _wait_until(lambda: len(live.requests) == 1)
    own_router.process.send_signal(signal.SIGTERM)
    assert visitor.response().body == b"late"
    assert own_router.process.wait(PATIENCE_S) == 0
    assert visitor.is_closed()


def test_who_is_cut_off_at_the_end_is_told_and_not_blamed(tmp_path: Path, make_app: Any) -> None:
    router = Router(tmp_path, limits=(), drain_s=0.3)

    def silent(talk: Any) -> None:
        talk.request()
        talk.wait_for_close()

    app = make_app(silent)
    router.publish(app.entry)
    visitor = router.visit()
    visitor.get(app.host)
    _wait_until(lambda: len(app.requests) == 1)
    router.stop()
    response = visitor.response()
    assert (response.status, response.header("connection")) == (503, "close")
    (line,) = router.lines(app.id)
    assert 'at=error code=H24 desc="Forced close"' in line
    assert " status=503 " in line


def test_a_damaged_table_on_disk_does_not_stop_the_start(own_router: Any, live: Any) -> None:
    own_router.process.kill()
    own_router.process.wait()
    (own_router.folder / "table.json").write_text('{"version": 1,')
    own_router.start()
    assert own_router.fetch(live.host).status == 503
    own_router.publish()
    assert own_router.fetch(live.host).status == 200


def test_ten_thousand_apps_are_swapped_and_found(own_router: Any, live: Any) -> None:
    crowd = [
        {**live.entry, "id": f"crowd-{number}", "name": f"crowd-{number}", "instances": []}
        for number in range(10_000)
    ]
    pids = [own_router.process.pid, *own_router.worker_pids()]
    before_ms = _cpu_ms(pids)
    assert own_router.publish(*crowd)["type"] == "applied"
    assert _cpu_ms(pids) - before_ms < 8000
    assert own_router.fetch(live.host).status == 200
    assert own_router.fetch(b"crowd-9999.localhost").status == 503


def _visits(router: Any, name: bytes) -> int:
    assert router.fetch(name + b".localhost").status == 503
    return 1


def _cpu_ms(pids: list[int]) -> float:
    """The CPU time that processes have used."""
    return sum(
        int(path.read_text().split()[0]) / 1e6
        for pid in pids
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def _workers(router: Any, count: int | None = None) -> list[dict[str, Any]]:
    workers: list[dict[str, Any]] = router.ask({"type": "status"})["workers"]
    short = count is not None and len(workers) != count
    return [{"version": -1, "present": False}] if short else workers


def test_a_hundred_mixed_events_lose_no_request(own_router: Any, make_app: Any, live: Any) -> None:
    """Switches, scalings, notes of the node, instances that refuse, new generations."""
    rng = random.Random(7)
    apps = [live, *(make_app(tcp=number % 2 == 0) for number in range(3))]
    gone = make_app()
    gone.close()
    events: dict[str, int] = {}
    serial = itertools.count(1)

    def publish(count: int, with_refusing: bool = False) -> list[str]:
        chosen = rng.sample(apps, count) + ([gone] if with_refusing else [])
        instances = [
            {"id": f"mix-{next(serial)}", "name": f"web.{number}", "target": each.target}
            for number, each in enumerate(chosen, 1)
        ]
        before = own_router.entries[live.id]["instances"]
        own_router.publish({**live.entry, "instances": instances})
        for instance in before:
            assert (
                own_router.ask({"type": "drain", "instance": instance["id"]})["type"] == "drained"
            )
        return [instance["id"] for instance in instances]

    def note_down_and_up() -> None:
        ids = publish(3)
        own_router.ask({"type": "machine", "machine": ids[0], "up": False})
        prober.wait(5)
        own_router.ask({"type": "machine", "machine": ids[0], "up": True})

    def renew() -> None:
        own_router.process.send_signal(signal.SIGHUP)

    kinds: list[Callable[[], object]] = [
        lambda: publish(1),
        lambda: publish(2),
        lambda: publish(4),
        lambda: publish(2, with_refusing=True),
        note_down_and_up,
        renew,
    ]
    with Prober(own_router, live.host) as prober:
        for number in range(100):
            kind = kinds[number % len(kinds)]
            kind()
            events[str(number % len(kinds))] = events.get(str(number % len(kinds)), 0) + 1
            prober.wait(10)
    assert sum(events.values()) == 100
    assert prober.answered > 1000
    assert prober.failed == []


def test_killed_workers_lose_only_what_they_had_in_flight(own_router: Any, live: Any) -> None:
    kills = 10
    with Prober(own_router, live.host) as prober:
        for _ in range(kills):
            pid = own_router.worker_pids()[0]
            os.kill(pid, signal.SIGKILL)
            _wait_until(lambda pid=pid: pid not in own_router.worker_pids())
            prober.wait(30)
    assert len(prober.failed) <= kills * PROBES


def test_the_keeper_tells_figures_of_all_workers(own_router: Any, live: Any) -> None:
    for _ in range(20):
        assert own_router.fetch(live.host).status == 200
    status = own_router.ask({"type": "status"})["apps"][live.id]
    assert (status["requests"], status["status_2xx"], status["in_flight"]) == (20, 20, 0)
    assert 0 < status["p50"] <= status["p99"] < 10_000
    text = own_router.ask({"type": "metrics"})["text"]
    assert f'router_requests_total{{app="{live.name}",status="2xx"}} 20\n' in text


def test_a_change_among_ten_thousand_apps_costs_a_worker_little(own_router: Any, live: Any) -> None:
    crowd = [
        {**live.entry, "id": f"crowd-{number}", "name": f"crowd-{number}", "instances": []}
        for number in range(10_000)
    ]
    own_router.publish(*crowd)
    table = own_router.table()
    before_ms = _cpu_ms(own_router.worker_pids())
    for turn in range(5):
        table["version"] = next(own_router.versions)
        table["apps"] = [*table["apps"][:-1], {**crowd[-1], "maintenance": turn % 2 == 0}]
        assert own_router.ask({"type": "table", "table": table})["type"] == "applied"
    change_ms = (_cpu_ms(own_router.worker_pids()) - before_ms) / 5 / own_router.workers
    assert "code=H80 " in own_router.lines("crowd-9999", _visits(own_router, b"crowd-9999"))[-1]
    assert change_ms < 40
