"""What the control process holds: one frozen object that its parts are handed."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakValueDictionary

from paas.fleet.machines import Machines
from paas.node.client import Node
from paas.platform.timeline import Timeline
from paas.routes.client import Router
from paas.routes.publish import Routes
from paas.settings import Settings
from paas.store import steps
from paas.store.sql.database import Database

log = logging.getLogger(__name__)


class Lock(asyncio.Lock):
    """Held for work that people wait for, or for housekeeping, which gives way to such work."""

    _yielding: asyncio.Task[Any] | None = None

    async def acquire(self) -> Literal[True]:
        if self._yielding is not None:
            self._yielding.cancel()
        return await super().acquire()

    async def giving_way(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Do this under the lock, which is free; False when it was cut off for somebody."""
        async with self:
            task = self._yielding = asyncio.create_task(work)
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait([task])
                raise
            finally:
                self._yielding = None
            return not task.cancelled() and await task


class Locks:
    """A lock for each app, which is there as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def __getitem__(self, app_id: str) -> Lock:
        lock = self._locks.get(app_id)
        if lock is None:
            lock = self._locks[app_id] = Lock()
        return lock


@dataclass(frozen=True)
class Platform:
    """`locks` lets one change at a time act on an app, in the order of their coming.

    `outputs` has for each app the machines whose logs are its own: (uuid, `web.1`), gone ones too;
    housekeeping takes out those whose log is gone.
    """

    settings: Settings
    database: Database
    node: Node
    machines: Machines
    router: Router
    routes: Routes
    locks: Locks = field(default_factory=Locks)
    outputs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    healing: set[str] = field(default_factory=set)
    """Ids of the apps that are being healed."""
    deploys: dict[str, set[asyncio.Task[Any]]] = field(default_factory=dict)
    """By app: pushes and builds that run or wait."""
    destroyed: set[str] = field(default_factory=set)
    """Ids of the apps that are being destroyed, or were since the start: nothing is deployed."""
    untidy: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever leaves something for housekeeping to delete."""
    hostnames: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever changes which host names there are: they may need certificates."""

    def timeline(self, app_id: str, subject_id: str) -> Timeline:
        """A timeline whose steps are recorded as those of a build or a release."""

        async def begin(name: str) -> int:
            return await self.database.run(steps.start, app_id, subject_id, name)

        async def end(number: int, duration_ms: float) -> None:
            await self.database.run(steps.finish, number, duration_ms)

        return Timeline(begin, end)

    def deploying(self, app_id: str, task: asyncio.Task[Any]) -> None:
        """Remember a push or a build until it has ended."""
        tasks = self.deploys.setdefault(app_id, set())
        tasks.add(task)

        def ended(_: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if not tasks and self.deploys.get(app_id) is tasks:
                del self.deploys[app_id]

        task.add_done_callback(ended)

    def cancel_deploys(self, app_id: str) -> None:
        """As if each developer had pressed Ctrl-C; what is switched already goes on to its end."""
        for task in list(self.deploys.get(app_id, ())):
            task.cancel()

    def background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do this without anyone waiting for it; what it raises is logged."""
        self.adopt(asyncio.create_task(work, name=name))

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """See to a task that nobody waits for (any more): it is logged if it fails."""
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
