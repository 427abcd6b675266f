"""What all connections of one worker share: routes, counters, log and clock."""

import asyncio
import socket
import uuid
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from router.choice.apps import App
from router.choice.instances import Instance
from router.choice.routes import Routes
from router.memory.bells import SILENT, Bells
from router.memory.counters import ROWS, Counters, instance_cell
from router.memory.limits import DEFAULTS, Limits
from router.traffic.accesslog import AccessLog
from router.traffic.splice import Pipes
from router.traffic.visitors import Network, Visitors

if TYPE_CHECKING:
    from router.traffic.client import Client


class Plane:
    """`now` is the loop's time at the last sweep: coarse, and free to read.

    `arriving` are connections in their TLS handshake or before their PROXY header, oldest first.
    `challenges` are ACME's, by path. `secure_port` is where TLS is spoken; 0 means nowhere.
    `crowded` while no visitor is let in; `admission` looks whether that should change.
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
        self.clients: set[Client] = set()
        self.arriving: dict[socket.socket, None] = {}
        self.visitors = Visitors(limits.connections_per_address, trusted, forwarding)
        self.connections_max = limits.connections
        self.crowded = False
        self.admission: Callable[[], None] = lambda: None
        self.challenges: dict[bytes, bytes] = {}
        self.secure_port = 0
        self.pipes = Pipes()
        self.queued: set[App] = set()
        self.ejecting: set[App] = set()
        self.checks_running = 0
        self.now = 0.0
        self.stopping = False
        self.tasks: set[asyncio.Task[None]] = set()
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
