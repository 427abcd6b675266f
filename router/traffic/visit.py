"""What is known of a visitor's connection and of the request that is under way on it.

    Visit          one connection, with one request at a time: a request costs no object of its own
    Connection     one to an instance, as a visit knows it; `upstream` makes them
    WorkerState    what all visits of a worker share: routes, counters, limits, log and clock

The state lies below all that a request goes through. What is done with it, the other modules say.
"""

import asyncio
import socket
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Protocol

from router.choice.apps import App
from router.choice.instances import Instance
from router.choice.routes import Routes
from router.http import chunks
from router.http.failures import Failure
from router.http.forwarded import Said
from router.http.hop import front, hop
from router.http.request_head import UNREADABLE_FIELDS, UNREADABLE_LINE
from router.memory.bells import SILENT, Bells
from router.memory.counters import ROWS, Counters, instance_cell
from router.memory.limits import DEFAULTS, Limits
from router.traffic.accesslog import AccessLog
from router.traffic.phases import HEAD
from router.traffic.pipes import Pipes
from router.traffic.visitors import Network, Visitors


class Visit(ABC):
    """Its state; `downstream` stands on it, and hears the connection.

    Between two requests it has no failure, nothing tried and no connect time; the last head and
    what was read of it are remembered, because a browser repeats most of it.
    """

    __slots__ = (  # noqa: RUF023 (in groups)
        # the connection
        "worker",
        "transport",
        "address",
        "secure",
        "front",
        "forwards",
        "phase",
        "active",
        "limit",
        "buffer",
        "reading",
        "writable",
        "eof",
        "closing",
        "proceeding",
        "requests_left",
        "swallowed",
        # the request
        "line_text",
        "line",
        "block",
        "fields",
        "forward",
        "forwarded",
        "visitor",
        "https",
        "hop",
        "routes",
        "app",
        "instance",
        "upstream",
        "tried",
        "moved",
        "head",
        "request_id",
        "started",
        "connect_s",
        "decoder",
        "body_left",
        "dyno",
        # the response
        "status",
        "responding",
        "bytes_out",
        "cookie",
        "failure",
    )

    transport: asyncio.Transport

    def __init__(
        self,
        worker: "WorkerState",
        port: bytes,
        secure: bool = False,
        address: bytes = b"",
        https: bool = False,
    ) -> None:
        """`address` is who connects, where it was let in already; else its socket's counts.

        `https`: a proxy has said that the visitor speaks TLS with it.
        """
        self.worker = worker
        self.address = address
        self.secure = secure
        self.front = front(port, secure or https)
        self.forwards = False
        self.phase = HEAD
        self.active = worker.now
        self.limit = worker.limits.head_s
        self.buffer = b""
        self.reading = True
        self.writable = True
        self.eof = False
        self.closing = False
        self.proceeding = False
        self.requests_left = worker.limits.requests_per_connection
        self.swallowed = 0

        self.line_text = b""
        self.line = UNREADABLE_LINE
        self.block = b""
        self.fields = UNREADABLE_FIELDS
        self.forward = b""
        self.forwarded: Said | None = None
        self.visitor = address
        self.https = secure or https
        self.hop = hop(port, self.https)
        self.routes: Routes | None = None
        self.app: App | None = None
        self.instance: Instance | None = None
        self.upstream: Connection | None = None
        self.tried: set[Instance] | None = None
        self.moved = False  # means something only where something was tried
        self.head = b""
        self.request_id = b""
        self.started = 0.0
        self.connect_s = 0.0
        self.decoder: chunks.Decoder | None = None
        self.body_left = 0
        self.dyno = b""

        self.status = 0
        self.responding = False
        self.bytes_out = 0
        self.cookie = b""
        self.failure: Failure | None = None

    @abstractmethod
    def settled(self) -> None:
        """The response is out: wait for the next request, or end the connection the gentle way."""

    # What a connection to an instance tells the visit that it serves.

    @abstractmethod
    def connected(self, upstream: "Connection") -> None:
        """A new connection is open."""

    @abstractmethod
    def connect_failed(self, instance: Instance, failure: Failure, busy: bool) -> None:
        """None could be made; `busy`: the instance can take no more just now."""

    @abstractmethod
    def finished(self, upstream: "Connection", reusable: bool) -> None:
        """The response is complete and written."""

    @abstractmethod
    def gone(self, upstream: "Connection") -> None:
        """The app closed before a byte of response."""

    @abstractmethod
    def failed(self, failure: Failure) -> None:
        """There will be no whole response."""

    @abstractmethod
    def tunnel(self, upstream: "Connection") -> None:
        """Both ends agreed on another protocol."""

    @abstractmethod
    def tunnel_ended(self) -> None:
        """The app has closed the tunnel."""


class Connection(Protocol):
    """A connection to an instance. `visit` is the one that it serves now.

    `interims` are the 1xx of this response; `reused` when it has served before.
    """

    visit: Visit | None
    instance: Instance
    transport: asyncio.Transport
    open: bool
    eof: bool
    reading: bool
    reused: bool
    interims: int
    idle_since: float

    def drop(self) -> None:
        """Never to be used again."""

    def forget_head(self) -> None:
        """The next response is read anew, though its head may be as the last one was."""

    def has_news(self) -> bool:
        """Something of the app's, be it its end, is here and not read yet."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class WorkerState:
    """`now` is the loop's time at the last sweep: coarse, and free to read.

    `queues` has, for each app for which requests wait, their visits, oldest first. `arriving` are
    connections in their TLS handshake or before their PROXY header, oldest first. `challenges` are
    ACME's, by path. `secure_port` is where TLS is spoken; 0 means nowhere. `crowded` while no
    visitor is let in; `admission` looks whether that should change. `left` hears of each request
    that ends at an instance which is watched.
    """

    def __init__(
        self,
        counters: Counters,
        row: int,
        log_folder: Path,
        limits: Limits = DEFAULTS,
        bells: Bells = SILENT,
        trusted: Sequence[Network] = (),
        forwarding: Sequence[Network] = (),
    ) -> None:
        self.counters = counters
        self.row = row
        self.rows = [instance_cell(row, 0)]
        self.bells = bells
        self.log = AccessLog(log_folder)
        self.limits = limits
        self.routes = Routes()
        self.visits: set[Visit] = set()
        self.arriving: dict[socket.socket, None] = {}
        self.visitors = Visitors(limits.connections_per_address, trusted, forwarding)
        self.connections_max = limits.connections
        self.crowded = False
        self.admission: Callable[[], None] = lambda: None
        self.challenges: dict[bytes, bytes] = {}
        self.secure_port = 0
        self.pipes = Pipes()
        self.queues: dict[App, dict[Visit, None]] = {}
        self.ejecting: set[App] = set()
        self.checks_running = 0
        self.now = 0.0
        self.stopping = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.left: Callable[[Instance], None] = lambda instance: None
        self.drained: Callable[[Instance], None] = lambda instance: None
        self.wanted: Callable[[App], None] = lambda app: None
        self._id_prefix = str(uuid.uuid4())[:24].encode()
        self._id_number = uuid.uuid4().int & 0x7FFF_FFFF_FFFF

    def next_request_id(self) -> bytes:
        """In a UUID's form; unique, and no secret."""
        self._id_number += 1
        return b"%b%012x" % (self._id_prefix, self._id_number)

    def living_rows(self, rows: list[int]) -> None:
        """Which workers count in choosing an instance."""
        self.rows = [instance_cell(row, 0) for row in rows if 0 < row < ROWS]

    def is_first(self) -> bool:
        """What only one worker does is this one's matter."""
        return min(self.rows, default=-1) == instance_cell(self.row, 0)

    def start_task(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
