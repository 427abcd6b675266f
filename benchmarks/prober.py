"""A constant load that keeps a ledger: each request with its moments, its answer and how it failed.

On bare sockets, because a client that repeats a request by itself would hide what we count. A lane
asks one request at a time, over http or https, on one connection that it keeps or on a new one for
each request. A kept connection that the server closed between two requests is opened anew, as any
client does; so a request that breaks off was under way when its connection ended.
"""

import contextlib
import itertools
import secrets
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import BinaryIO, Self

TIMEOUT_S = 60.0
PAUSE_S = 0.01
REPEAT_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Asked:
    """One request. Moments are time.monotonic(); `status` is 0 where no whole answer came."""

    id: str
    lane: str
    sent: float
    ended: float
    status: int
    body: str
    error: str = ""

    @property
    def failed(self) -> bool:
        return self.status != 200

    def during(self, began: float, ended: float) -> bool:
        """Whether the request was under way at some moment of this span."""
        return self.sent <= ended and self.ended >= began


@dataclass(frozen=True)
class Lane:
    """`certificates` is the file with the authority to trust; None means http."""

    name: str
    port: int
    kept: bool
    certificates: str | None = None


class Prober:
    """`with Prober(host, lanes) as prober:` asks `path` in all lanes all the while."""

    def __init__(self, host: str, path: str, lanes: list[Lane]) -> None:
        self.host = host
        self.path = path
        self.ledger: list[Asked] = []
        self._over = threading.Event()
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._counts = {lane.name: 0 for lane in lanes}
        self._threads = [threading.Thread(target=self._probe, args=(lane,)) for lane in lanes]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Wait until every lane has asked so many further requests."""
        goals = {name: done + count for name, done in self._counts.items()}
        end = time.monotonic() + REPEAT_TIMEOUT_S
        while any(self._counts[name] < goal for name, goal in goals.items()):
            late = [name for name, goal in goals.items() if self._counts[name] < goal]
            if time.monotonic() > end:
                raise TimeoutError(f"these lanes stand still: {', '.join(late)}")
            time.sleep(PAUSE_S)

    def _probe(self, lane: Lane) -> None:
        connection: socket.socket | None = None
        while not self._over.is_set():
            if connection is not None and _hung_up(connection):
                connection = _closed(connection)
            id = f"{self._prefix}-{next(self._numbers):012d}"
            asked, connection = _ask(self.host, self.path, lane, id, connection)
            self.ledger.append(asked)
            self._counts[lane.name] += 1
            time.sleep(PAUSE_S)
        _closed(connection)


def asked_once(host: str, path: str, lane: Lane) -> Asked:
    """One request on a connection of its own, whatever the lane says."""
    asked, connection = _ask(host, path, lane, secrets.token_hex(16), None)
    _closed(connection)
    return asked


def _ask(
    host: str, path: str, lane: Lane, id: str, connection: socket.socket | None
) -> tuple[Asked, socket.socket | None]:
    """One request, and its connection if another request may follow on it."""
    began = time.monotonic()
    try:
        connection = connection or _connect(lane, host)
        connection.sendall(_head(host, path, lane, id))
        status, body, stays = _answer(connection)
    except (OSError, EOFError, ValueError) as error:
        asked = Asked(id, lane.name, began, time.monotonic(), 0, "", repr(error))
        return asked, _closed(connection)
    asked = Asked(id, lane.name, began, time.monotonic(), status, body)
    return asked, connection if lane.kept and stays else _closed(connection)


def _head(host: str, path: str, lane: Lane, id: str) -> bytes:
    persistence = "" if lane.kept else "Connection: close\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Request-Id: {id}\r\n"
        f"Accept: application/json\r\n{persistence}\r\n"
    ).encode()


def _connect(lane: Lane, host: str) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", lane.port), TIMEOUT_S)
    if lane.certificates is None:
        return plain
    context = ssl.create_default_context(cafile=lane.certificates)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _closed(connection: socket.socket | None) -> None:
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.close()


def _hung_up(connection: socket.socket) -> bool:
    """Whether the server ended an idle connection. TLS may have sent tickets: they are no end."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(TIMEOUT_S)
    return True


def _answer(connection: socket.socket) -> tuple[int, str, bool]:
    """Status, body, and whether the connection stays."""
    with connection.makefile("rb") as stream:
        status = int(_line(stream).split()[1])
        fields = {}
        while line := _line(stream):
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip().lower()
        if fields.get("transfer-encoding") == "chunked":
            body = _chunks(stream)
        else:
            body = _exactly(stream, int(fields["content-length"]))
    return status, body.decode(), fields.get("connection") != "close"


def _line(stream: BinaryIO) -> str:
    line = stream.readline(65536)
    if not line.endswith(b"\n"):
        raise EOFError("the connection ended inside an answer")
    return line.decode("latin-1").rstrip("\r\n")


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the connection ended inside a body")
    return data


def _chunks(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(_line(stream), 16):
        body += _exactly(stream, size)
        _line(stream)
    _line(stream)
    return body
