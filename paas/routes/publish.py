"""Publishes the routes: the table always follows from the database and the machines.

Whoever changes either says `changed()`, or awaits `publish()` to know that every worker obeys.
"""

import asyncio
import logging
import time
from collections import defaultdict

from sqlalchemy import Connection

from paas.errors import PlatformError
from paas.fleet.machines import Machines
from paas.node import words
from paas.node.client import Machine
from paas.routes.client import Router
from paas.routes.table import Routed, table
from paas.settings import Settings
from paas.store import apps, domains, git_connections, instances, releases
from paas.store.sql.database import Database

RETRY_PAUSE_S = 0.2
log = logging.getLogger(__name__)


class Routes:
    """`run` must be running for `changed` to have an effect."""

    def __init__(
        self, settings: Settings, database: Database, machines: Machines, router: Router
    ) -> None:
        self._settings = settings
        self._database = database
        self._machines = machines
        self._router = router
        self._dirty = asyncio.Event()
        self._lock = asyncio.Lock()
        self._version = 0
        self.behind = False
        """The last table did not reach every worker: the router is away or slow."""

    async def publish(self) -> None:
        """Returns when every worker obeys a table made after this call began.

        Raises PlatformError when the router is away or refuses, or nobody knows yet what runs;
        then `run` tries on.
        """
        async with self._lock:
            self._dirty.clear()
            try:
                await self._send()
            except (PlatformError, TimeoutError) as error:
                self.behind = True
                self._dirty.set()
                raise PlatformError(f"the routes could not be published: {error}") from error
            except BaseException:
                self._dirty.set()
                raise
            self.behind = False

    async def publish_or_later(self) -> None:
        """Publish for a change that counts already: `run` goes on when the router is away."""
        try:
            await self.publish()
        except PlatformError as error:
            log.warning("%s", error)

    async def publish_until_obeyed(self) -> None:
        """Publish, however long the router is away."""
        while True:
            try:
                return await self.publish()
            except PlatformError:
                await asyncio.sleep(RETRY_PAUSE_S)

    def changed(self) -> None:
        self._dirty.set()

    async def run(self) -> None:
        """Publish whenever something changed or a router begins, for ever."""
        following = asyncio.create_task(self._follow())
        try:
            await self._run()
        finally:
            following.cancel()

    async def _follow(self) -> None:
        """A router that was started again may have lost its table.

        Before the node has told what runs there is none to give; then somebody says `changed`.
        """
        async for _ in self._router.appearances():
            if self._machines.heard:
                self.changed()

    async def _run(self) -> None:
        with self._machines.listening(self._machine_changed):
            while True:
                await self._dirty.wait()
                try:
                    await self.publish()
                except PlatformError as error:
                    log.warning("%s", error)
                    await asyncio.sleep(RETRY_PAUSE_S)

    def _machine_changed(self, _uuid: str, machine: Machine | None) -> None:
        if machine is None or words.INSTANCE in machine.get("tags", {}):
            self.changed()

    async def _send(self) -> None:
        if not self._machines.heard:
            # A table without a single instance would end what the router serves all the while.
            raise PlatformError("the node has not told what runs")
        routed, has_hooks = await self._database.run(_routed)
        while True:
            self._version = max(self._version + 1, time.time_ns() // 1_000_000)
            version = self._version
            known = self._machines.known
            message = table(self._settings, version, routed, known, has_hooks=has_hooks)
            in_force = await self._router.apply(message)
            if in_force <= version:
                return
            # The router has seen a later clock than ours: go on from its number.
            self._version = in_force


def _routed(connection: Connection) -> tuple[list[Routed], bool]:
    """The apps, and whether git hosts tell of pushes."""
    names = defaultdict(list)
    for domain in domains.all(connection):
        names[domain.app_id].append(domain.hostname)
    present = defaultdict(list)
    for instance in instances.all(connection):
        present[instance.app_id].append(instance)
    routed = [
        Routed(app, names[app.id], releases.current(connection, app.id), present[app.id])
        for app in apps.all(connection)
    ]
    return routed, git_connections.are_there(connection)
