"""How an app's requests reach it: its settings, and what the router counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas import logs
from paas.apps.apps import App
from paas.platform.platform import Platform
from paas.store import apps


@dataclass(frozen=True)
class Routing:
    platform: Platform

    async def change(self, app: App, values: Mapping[str, Any], user: str) -> App:
        """The app with the changed settings; None unsets. Raises UserError for one that can't be.

        In force when it returns, and no instance is restarted.
        """
        changed = await self.platform.database.run(apps.change_routing, app.id, values)
        await self.platform.routes.publish_or_later()
        text = f"Set routing {', '.join(values)} by user {user}"
        logs.note(self.platform.settings, app.id, text)
        return changed

    async def metrics(self) -> str:
        """What the router counts of every app, as Prometheus reads it. Raises PlatformError."""
        return await self.platform.router.metrics()
