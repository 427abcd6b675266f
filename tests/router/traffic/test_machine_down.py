"""The node says that a machine has ended: nothing that was given to it waits for what can't come.

No time limit of these routers is near: what ends a request here is the node's word.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.router.conftest import ANSWER, PATIENCE_S, App, Conversation, Router

Note = Callable[[str, bool], None]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    limits = ("first_byte_s=600", "queue_s=600", "connect_s=600", "pooled_s=600")
    router = Router(tmp_path_factory.mktemp("calm"), limits=limits)
    yield router
    router.stop()


@pytest.fixture
def note(calm: Router) -> Note:
    def say(machine: str, up: bool) -> None:
        assert calm.ask({"type": "machine", "machine": machine, "up": up}) == {"type": "noted"}
        # Workers are told in order: who confirms this has heard the note.
        calm.ask({"type": "challenges", "challenges": {}})

    return say


class Queue:
    """A machine whose process has ended: connections wait in the listener that the node holds."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self.taken: list[Conversation] = []

    def boot(self) -> list[bytes]:
        """Serve what waits; returns its requests."""
        requests = []
        self.listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                talk = Conversation(self.listener.accept()[0])
                self.taken.append(talk)
                requests.append(talk.request())
                with contextlib.suppress(OSError):
                    talk.send(ANSWER.replace(b"hello", b"again"))
        return requests

    def close(self) -> None:
        for talk in self.taken:
            talk.socket.close()
        self.listener.close()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.close()


def _publish(calm: Router, app: App, *targets: dict[str, Any]) -> list[str]:
    ids = [f"{app.id[:8]}-{number}" for number in range(1, len(targets) + 1)]
    calm.publish(
        {
            **app.entry,
            "instances": [
                {"id": id, "name": f"web.{number}", "target": target}
                for number, (id, target) in enumerate(zip(ids, targets, strict=True), 1)
            ],
        }
    )
    return ids


def _in_flight(calm: Router, app: App, name: str) -> int:
    count: int = calm.ask({"type": "status"})["apps"][app.id]["instances"][name]
    return count


@pytest.fixture
def app(calm: Router, make_app: Callable[..., App]) -> Iterator[App]:
    app = make_app()
    yield app
    calm.withdraw(app.id)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_what_waits_at_a_machine_that_ended_goes_to_another_where_that_is_safe(
    calm: Router, note: Note, app: App, queue: Queue, until: Any, method: bytes
) -> None:
    gone, other = _publish(calm, app, {"unix": str(queue.path)}, app.target)
    note(other, False)
    visitor = calm.visit()
    visitor.send(b"%b / HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, app.host))
    until(lambda: _in_flight(calm, app, "web.1") == 1)
    note(other, True)
    note(gone, False)
    answer = visitor.response()
    if method == b"GET":
        assert (answer.status, answer.body) == (200, b"hello")
        assert len(app.requests) == 1
    else:
        assert answer.status == 503
        assert 'code=H13 desc="Connection closed without response"' in calm.lines(app.id)[0]
        assert app.requests == []
    assert _in_flight(calm, app, "web.1") == 0


def test_where_there_is_no_other_it_waits_until_the_machine_is_back(
    calm: Router, note: Note, app: App, queue: Queue, until: Any
) -> None:
    (gone,) = _publish(calm, app, {"unix": str(queue.path)})
    asking, telling = calm.visit(), calm.visit()
    asking.get(app.host, b"/asked")
    telling.send(b"POST /told HTTP/1.1\r\nHost: %b\r\nContent-Length: 2\r\n\r\nhi" % app.host)
    until(lambda: _in_flight(calm, app, "web.1") == 2)
    note(gone, False)
    assert telling.response().status == 503
    until(lambda: calm.ask({"type": "status"})["apps"][app.id]["queued"] == 1)
    queue.boot()  # these are gone, whoever reads them
    note(gone, True)
    until(lambda: _in_flight(calm, app, "web.1") == 1)
    (again,) = queue.boot()
    assert again.startswith(b"GET /asked ")
    assert asking.response().body == b"again"


def test_where_the_machine_does_not_come_back_it_ends(
    calm: Router, note: Note, app: App, queue: Queue, until: Any
) -> None:
    (gone,) = _publish(calm, app, {"unix": str(queue.path)})
    visitor = calm.visit()
    visitor.get(app.host)
    until(lambda: _in_flight(calm, app, "web.1") == 1)
    note(gone, False)
    calm.publish({**app.entry, "instances": [], "state": "crashed"})
    assert visitor.response().status == 503
    assert "code=H10 " in calm.lines(app.id)[0]


def test_a_machine_whose_network_is_gone_says_no_goodbye(
    calm: Router, note: Note, make_app: Callable[..., App], app: App, until: Any
) -> None:
    """Its connections over TCP stay open for us: requests on them end, idle ones are closed."""
    closed: list[bytes] = []

    def script(talk: Any) -> None:
        if talk.request().startswith(b"GET /idle "):
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        talk.wait_for_close()
        closed.append(b"")

    silent = make_app(script, tcp=True)
    gone, other = _publish(calm, app, silent.target, app.target)
    note(other, False)
    asking, telling, idle = calm.visit(), calm.visit(), calm.visit()
    asking.get(app.host)
    telling.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 9\r\n\r\nhi" % app.host)
    idle.get(app.host, b"/idle")
    assert idle.response().status == 200
    until(lambda: len(silent.requests) == 2 and _in_flight(calm, app, "web.1") == 2)
    note(other, True)
    note(gone, False)
    assert asking.response().status == 200
    assert telling.response().status == 503
    until(lambda: len(closed) == 2)


def test_what_has_been_said_before_the_end_reaches_the_visitor(
    calm: Router, note: Note, app: App, until: Any
) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"

    def script(talk: Any) -> None:
        talk.request()
        talk.send(begun)
        talk.request()

    app.script = script
    (gone,) = _publish(calm, app, app.target)
    visitor = calm.visit()
    visitor.get(app.host)
    while not visitor.buffer.endswith(b"he"):
        visitor._more()
    note(gone, False)
    calm.ask({"type": "status"})
    (connection,) = app.open
    connection.sendall(b"llo")
    assert visitor.response().body == b"hello"


def test_a_pooled_connection_that_breaks_leads_to_another_instance(
    calm: Router, note: Note, make_app: Callable[..., App], app: App, until: Any
) -> None:
    """The one that broke it may be dying: not even the node knows yet."""
    release = threading.Event()

    def breaks(talk: Any) -> None:
        talk.request()
        talk.send(ANSWER)
        talk.request()

    def holds(talk: Any) -> None:
        while True:
            if talk.request().startswith(b"GET /held "):
                release.wait(PATIENCE_S)
            talk.send(ANSWER)

    dying = make_app(breaks)
    app.script = holds
    old, _ = _publish(calm, app, dying.target, app.target)
    note(old, False)
    held, visitor = calm.visit(), calm.visit()
    held.get(app.host, b"/held")  # so that the other one has more in flight
    until(lambda: _in_flight(calm, app, "web.2") == 1)
    note(old, True)
    for _ in range(2):
        visitor.get(app.host)
        assert visitor.response().status == 200
    release.set()
    assert held.response().status == 200
    assert (dying.connections, len(dying.requests)) == (1, 2)
    assert len(app.requests) == 2


def test_a_request_that_ends_two_instances_gets_no_third(
    calm: Router, make_app: Callable[..., App], app: App
) -> None:
    def script(talk: Any) -> None:
        talk.request()
        if not ready:
            talk.send(ANSWER)
            talk.request()

    ready: list[bool] = []
    apps = [make_app(script) for _ in range(4)]
    entry = {**app.entry, "instances": []}
    for number, each in enumerate(apps):  # each gets a connection that is kept
        instance = {"id": f"p-{app.id[:8]}-{number}", "name": "web.1", "target": each.target}
        entry["instances"].append(instance)
        calm.publish({**entry, "instances": [instance]} if not number else entry)
        while not each.requests:
            assert calm.fetch(app.host).status == 200
    ready.append(True)
    for each in apps:
        each.requests.clear()
    assert calm.fetch(app.host).status == 503
    assert sum(bool(each.requests) for each in apps) <= 2
