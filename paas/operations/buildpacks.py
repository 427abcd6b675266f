"""Which buildpacks build an app, from its next build on."""

from collections.abc import Sequence
from dataclasses import dataclass

from buildpacks.classic import parse
from paas import logs
from paas.apps import buildpacks as rules
from paas.apps.apps import App
from paas.platform.platform import Platform
from paas.store import apps


@dataclass(frozen=True)
class Buildpacks:
    platform: Platform

    async def set(self, app: App, names: Sequence[str], user: str) -> App:
        """All of them, in their order. Raises UserError for what names no buildpack."""
        settings = self.platform.settings
        plain_http = settings.fetch_from_private_addresses
        checked = rules.check(names, plain_http=plain_http)
        changed = await self.platform.database.run(apps.set_buildpacks, app.id, checked)
        shown = [parse(name, plain_http=plain_http).shown for name in checked]
        text = f"Buildpacks set to {', '.join(shown) or 'none'} by user {user}"
        logs.note(settings, app.id, text)
        return changed
