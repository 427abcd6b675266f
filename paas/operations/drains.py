"""Drains: where an app's log is sent."""

from dataclasses import dataclass

from paas import logs
from paas.apps import drains as rules
from paas.apps.apps import App
from paas.apps.drains import Drain
from paas.platform.platform import Platform
from paas.store import drains


@dataclass(frozen=True)
class Drains:
    platform: Platform

    async def all(self, app: App) -> list[Drain]:
        return await self.platform.database.run(drains.for_app, app.id)

    async def add(self, app: App, url: str, user: str) -> Drain:
        """Raises UserError for a URL that can't be, and for too many."""
        private = self.platform.settings.drain_to_private_addresses
        checked = rules.check_url(url, private=private)
        made = await self.platform.database.run(drains.add, app.id, checked)
        self._changed(app, f"Added drain {made.shown} by user {user}")
        return made

    async def remove(self, app: App, name: str, user: str) -> Drain:
        """By id, token or URL. Raises NotFound."""
        gone = await self.platform.database.run(drains.remove, app.id, name)
        self._changed(app, f"Removed drain {gone.shown} by user {user}")
        return gone

    def status(self, drain: Drain) -> logs.Status | None:
        """None where it has not begun yet."""
        return self.platform.drains.status(drain)

    def _changed(self, app: App, text: str) -> None:
        self.platform.drains.changed.set()
        logs.note(self.platform.settings, app.id, text)
