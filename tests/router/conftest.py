"""A real router (keeper and one worker) per session, and apps that a test scripts byte by byte."""

import contextlib
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httptools
import pytest

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
PATIENCE_S = 30.0
FAST_LIMITS = (
    "head_s=1.5",
    "keep_alive_s=3",
    "queue_s=2",
    "first_byte_s=2",
    "idle_s=2.5",
    "linger_s=1",
    "connect_s=1",
    "check_s=0.4",
    "check_timeout_s=5",
    "upload_s=3",
)


class Conversation:
    """The app's end of one connection from the router."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.buffer = b""

    def until(self, mark: bytes) -> bytes:
        """What comes up to and with `mark`. EOFError when the router closes first."""
        while mark not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken + mark

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def request(self) -> bytes:
        """One request, head and body, as it came over the wire."""
        head = self.until(b"\r\n\r\n")
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked" in lower:
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                line = self.until(b"\r\n")
                size = int(line.split(b";")[0], 16)
                body += line + (self.exactly(size + 2) if size else self.until(b"\r\n"))
            return head + body
        at = lower.find(b"\r\ncontent-length:")
        if at >= 0:
            return head + self.exactly(int(lower[at + 17 :].split(b"\r\n")[0]))
        return head

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_close(self) -> None:
        while self.socket.recv(65536):
            pass


Script = Callable[[Conversation], None]


def answering(response: bytes = ANSWER) -> Script:
    """Answers every request with `response`."""

    def script(app: Conversation) -> None:
        while True:
            app.request()
            app.send(response)

    return script


@dataclass
class App:
    """An app with one instance, whose behaviour is `script`. Records what it was sent."""

    id: str
    name: str
    target: dict[str, Any]
    listener: socket.socket
    script: Script = field(default_factory=answering)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    errors: list[BaseException] = field(default_factory=list)
    entry: dict[str, Any] = field(default_factory=dict)
    open: set[socket.socket] = field(default_factory=set)

    @property
    def host(self) -> bytes:
        return f"{self.name}.localhost".encode()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            connection.settimeout(PATIENCE_S)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        conversation = Conversation(connection)
        taken = conversation.request

        def request() -> bytes:
            data = taken()
            self.requests.append(data)
            return data

        conversation.request = request  # type: ignore[method-assign]
        try:
            self.script(conversation)
        except (EOFError, ConnectionError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            self.open.discard(connection)
            connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Response:
    """A response as a strict parser (llhttp) understands it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    interim: bool = False

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) < 2, f"{name} twice: {values}"
        return values[0] if values else None


class Visitor:
    """A client's connection to the router."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, host: bytes, target: bytes = b"/", extra: bytes = b"") -> None:
        self.send(b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, host, extra))

    def shut(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def everything(self) -> bytes:
        """All bytes until the router closes, or cuts."""
        with contextlib.suppress(ConnectionResetError):
            while part := self.socket.recv(65536):
                self.buffer += part
        data, self.buffer = self.buffer, b""
        return data

    def is_closed(self) -> bool:
        return not self.socket.recv(65536)

    def response(self, method: bytes = b"GET") -> Response:
        """The next response; what follows it stays for the next call."""
        head = self._until(b"\r\n\r\n")
        response = _parse_head(head)
        response.interim = 100 <= response.status < 200
        if method == b"HEAD" or response.interim or response.status in (204, 304):
            return response
        if response.header("transfer-encoding") == "chunked":
            response.body = self._chunks()
        elif (length := response.header("content-length")) is not None:
            response.body = self._exactly(int(length))
        else:
            response.body = self.everything()
        return response

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self._until(b"\r\n"), 16)
            if not size:
                self._trailers()
                return body
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n"

    def _trailers(self) -> None:
        self.trailers = []
        while (line := self._until(b"\r\n")) != b"\r\n":
            self.trailers.append(line[:-2])

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken + mark

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(262144)
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data


def _parse_head(head: bytes) -> Response:
    class Collector:
        def __init__(self) -> None:
            self.headers: list[tuple[str, str]] = []

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers.append((name.decode().lower(), value.decode("latin-1")))

    collector = Collector()
    parser = httptools.HttpResponseParser(collector)
    with contextlib.suppress(httptools.HttpParserUpgrade):
        parser.feed_data(head)
    return Response(parser.get_status_code(), collector.headers, b"")


class Router:
    """A keeper process with its workers, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        workers: int = 1,
        limits: tuple[str, ...] = FAST_LIMITS,
        trusted: tuple[str, ...] = (),
        forwarding: tuple[str, ...] = (),
        descriptors_max: int = 0,
        drain_s: float = 30.0,
    ) -> None:
        self.folder = folder
        self.trusted = trusted
        self.forwarding = forwarding
        self.descriptors_max = descriptors_max
        self.drain_s = drain_s
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.control = folder / "router.sock"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listener.getsockname()
        self.secure_listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.secure_address = self.secure_listener.getsockname()
        self.workers = workers
        self.limits = limits
        self.entries: dict[str, dict[str, Any]] = {}
        self.versions = itertools.count(1)
        self.start()

    def start(self) -> None:
        """Start the keeper on the sockets that stay open here, and wait until it serves."""
        ready, told = os.pipe()
        self.stderr = (self.folder / "stderr").open("ab")
        self.process = subprocess.Popen(
            [
                *self._prefix(),
                sys.executable,
                "-c",
                _START,
                f"{self.listener.fileno()},{self.secure_listener.fileno()}",
                str(told),
                *self._options(),
            ],
            pass_fds=[self.listener.fileno(), self.secure_listener.fileno(), told],
            stderr=self.stderr,
        )
        os.close(told)
        try:
            if os.read(ready, 1) != b"1":
                pytest.fail(f"the router did not start: {(self.folder / 'stderr').read_text()}")
        finally:
            os.close(ready)

    def _prefix(self) -> list[str]:
        most = self.descriptors_max
        return ["prlimit", f"--nofile={most}:{most}"] if most else []

    def _options(self) -> list[str]:
        options = [
            "--control-socket",
            str(self.control),
            "--table",
            str(self.folder / "table.json"),
        ]
        options += ["--log-folder", str(self.logs), "--workers", str(self.workers)]
        options.append(f"--drain-limit={self.drain_s}")
        options += [f"--trusted-proxy={network}" for network in self.trusted]
        options += [f"--forwarding-proxy={network}" for network in self.forwarding]
        return options + [f"--limit={limit}" for limit in self.limits]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.control_socket() as control:
            return control.ask(request)

    @contextlib.contextmanager
    def control_socket(self) -> Iterator["ControlSocket"]:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        connection.connect(str(self.control))
        try:
            yield ControlSocket(connection)
        finally:
            connection.close()

    def publish(self, *entries: dict[str, Any]) -> dict[str, Any]:
        """A new table: what it had, changed by these entries."""
        self.entries.update((entry["id"], entry) for entry in entries)
        return self.ask({"type": "table", "table": self.table()})

    def withdraw(self, id: str) -> None:
        self.entries.pop(id, None)
        self.ask({"type": "table", "table": self.table()})

    def table(self) -> dict[str, Any]:
        apps = list(self.entries.values())
        return {"version": next(self.versions), "bases": ["localhost"], "apps": apps}

    def visit(self) -> Visitor:
        return Visitor(self.address)

    def fetch(self, host: bytes, target: bytes = b"/", extra: bytes = b"") -> Response:
        visitor = self.visit()
        try:
            visitor.get(host, target, extra)
            return visitor.response()
        finally:
            visitor.close()

    def lines(self, name: str, count: int = 1) -> list[str]:
        """The access lines of an app, once there are so many."""
        end = time.monotonic() + PATIENCE_S
        path = self.logs / f"{name}.log"
        while time.monotonic() < end:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) >= count:
                return lines
            time.sleep(0.02)
        raise AssertionError(f"{path.name} has {len(lines)} lines, not {count}")

    def line_with(self, name: str, text: str) -> str:
        """The first access line of an app that has `text` in it, once there is one."""
        end = time.monotonic() + PATIENCE_S
        path = self.logs / f"{name}.log"
        while time.monotonic() < end:
            for line in path.read_text().splitlines() if path.exists() else []:
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"{path.name} has no line with {text!r}")

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.ask({"type": "status"})["workers"]]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self.secure_listener.close()
        self.stderr.close()


_START = """
import fcntl, os, sys
told = os.dup2(int(sys.argv[2]), 200)
listeners = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 64) for each in sys.argv[1].split(",")]
for number, listener in enumerate(listeners):
    os.dup2(listener, 3 + number)
os.environ.update(LISTEN_FDS="2", LISTEN_FDNAMES="http:https", PAAS_READY_FD=str(told))
from router.keeper.main import main
main(sys.argv[3:])
"""


class ControlSocket:
    """A connection to the keeper's socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.say(request)
        return self.hear()

    def say(self, request: dict[str, Any]) -> None:
        body = json.dumps(request).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def hear(self) -> dict[str, Any]:
        (length,) = struct.unpack(">I", self._exactly(4))
        answer: dict[str, Any] = json.loads(self._exactly(length))
        return answer

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits until something has come true."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    router = Router(tmp_path_factory.mktemp("router"))
    yield router
    router.stop()


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router with the usual limits, for visitors who may be slow."""
    router = Router(tmp_path_factory.mktemp("patient"), limits=())
    yield router
    router.stop()


@pytest.fixture
def own_router(tmp_path: Path) -> Iterator[Router]:
    """A router of two workers that the test may kill."""
    router = Router(tmp_path, workers=2, limits=("queue_s=2", "connect_s=1", "check_s=0.4"))
    yield router
    router.stop()


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Makes apps that listen; the test publishes their entries."""
    apps = []
    numbers = itertools.count(1)

    def make(script: Script | None = None, tcp: bool = False) -> App:
        id = str(uuid.uuid4())
        if tcp:
            listener = socket.create_server(("127.0.0.1", 0))
            target: dict[str, Any] = {"tcp": list(listener.getsockname())}
        else:
            listener = socket.socket(socket.AF_UNIX)
            path = tmp_path / f"{next(numbers)}.sock"
            listener.bind(str(path))
            listener.listen(128)
            target = {"unix": str(path)}
        app = App(id, f"app-{id[:8]}", target, listener)
        if script is not None:
            app.script = script
        app.entry = entry_of(app)
        apps.append(app)
        threading.Thread(target=app.serve, daemon=True).start()
        return app

    yield make
    for app in apps:
        app.close()
        assert not app.errors, app.errors


def entry_of(app: App, **changes: Any) -> dict[str, Any]:
    instance = {"id": f"i-{app.id}", "name": "web.1", "target": app.target}
    entry = {"id": app.id, "name": app.name, "domains": [], "maintenance": False, "state": "live"}
    return {**entry, "instances": [instance], **changes}


@pytest.fixture
def app(router: Router, make_app: Callable[..., App]) -> Iterator[App]:
    """An app behind the session's router, reached over a Unix socket."""
    app = make_app()
    assert router.publish(app.entry)["type"] == "applied"
    yield app
    router.withdraw(app.id)
