"""What all connections of one worker share: routes, counters, log, clock and limits."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.accesslog import AccessLog
from router.counters import ROWS, Counters, instance_cell
from router.routes import Routes

if TYPE_CHECKING:
    from router.balance import App, Instance
    from router.client import Client


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. The first-byte and idle times are Heroku's."""

    head_s: float = 10.0
    keep_alive_s: float = 75.0
    connect_s: float = 5.0
    queue_s: float = 30.0
    first_byte_s: float = 30.0
    idle_s: float = 55.0
    linger_s: float = 2.0
    pooled_s: float = 4.0
    """Under the five seconds after which Node.js closes an idle connection."""
    head_bytes: int = 32 * 1024
    response_head_bytes: int = 512 * 1024
    held_bytes: int = 64 * 1024
    linger_bytes: int = 16 * 1024 * 1024
    attempts: int = 3


class Plane:
    """`now` is the loop's time at the last sweep: coarse, and free to read."""

    def __init__(
        self, counters: Counters, row: int, log_folder: Path, limits: Limits | None = None
    ) -> None:
        self.counters = counters
        self.row = row
        self.rows = [instance_cell(row, 0)]
        self.log = AccessLog(log_folder)
        self.limits = limits or Limits()
        self.routes = Routes()
        self.clients: set[Client] = set()
        self.queued: set[App] = set()
        self.ejecting: set[App] = set()
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

    def start_task(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
