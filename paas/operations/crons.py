"""Crons: commands of an app that are run at set times."""

from dataclasses import dataclass

from sqlalchemy import Connection

from paas import logs
from paas.apps.apps import App
from paas.apps.crons import Cron, Given
from paas.apps.runs import Run
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.runs import cron as running
from paas.store import crons
from paas.store.sql.row import now


@dataclass(frozen=True)
class Crons:
    platform: Platform

    async def add(self, app: App, given: Given, user: str) -> Cron:
        """Raises UserError for a name that is taken, or too many."""
        made = await self.platform.database.run(crons.add, app.id, given, now())
        self._changed(app, f"Added cron {made.name} ({made.schedule} {made.timezone}) by {user}")
        return made

    async def pause(self, app: App, name: str, paused: bool, user: str) -> Cron:
        """Paused, it is never due; what runs goes on. Raises NotFound."""
        changed = await self.platform.database.run(_set_paused, app.id, name, paused)
        self._changed(app, f"{'Paused' if paused else 'Resumed'} cron {changed.name} by {user}")
        return changed

    async def remove(self, app: App, name: str, user: str) -> Cron:
        """With its results; what runs goes on. Raises NotFound, UserError for app.json's."""
        gone = await self.platform.database.run(_remove, app, name)
        self._changed(app, f"Removed cron {gone.name} by {user}")
        return gone

    async def start(self, app: App, name: str, user: str) -> Run:
        """Run it now. Raises NotFound, and UserError where a run goes on already."""
        return await running.start(self.platform, app, name, user)

    def _changed(self, app: App, text: str) -> None:
        self.platform.crons_changed.set()
        logs.note(self.platform.settings, app.id, text)


def _set_paused(connection: Connection, app_id: str, name: str, paused: bool) -> Cron:
    return crons.set_paused(connection, crons.named(connection, app_id, name), paused, now())


def _remove(connection: Connection, app: App, name: str) -> Cron:
    found = crons.named(connection, app.id, name)
    if found.declared:
        raise UserError(
            "conflict",
            f"{found.name} is declared in app.json.",
            f"Take it out there and push, or: paas cron:pause {found.name} -a {app.name}",
        )
    crons.delete(connection, found.id)
    return found
