"""What the control process holds: one frozen object that its parts are handed."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from paas.node.client import Node
from paas.provisioner.machines import Machines
from paas.provisioner.router import Router
from paas.provisioner.routes import Routes
from paas.settings import Settings
from paas.store.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Platform:
    """`locks` lets one change at a time act on an app, in the order of their coming.

    `outputs` has for each app the machines whose logs are its own: (uuid, `web.1`), gone ones too.
    """

    settings: Settings
    database: Database
    node: Node
    machines: Machines
    router: Router
    routes: Routes
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    outputs: defaultdict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    untidy: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever leaves something for housekeeping to delete."""

    def background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do this without anyone waiting for it; what it raises is logged."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())


def compose(settings: Settings, database: Database) -> Platform:
    """The parts, put together; nothing is started yet."""
    node = Node(settings.node_socket)
    machines = Machines(node)
    router = Router(settings.router_socket)
    routes = Routes(settings, database, machines, router)
    return Platform(settings, database, node, machines, router, routes)
