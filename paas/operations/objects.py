"""Objects of an app's repository: which of them are there, so that only the others are sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gitserver import trees
from paas.apps.apps import App
from paas.platform.platform import Platform


@dataclass(frozen=True)
class Objects:
    platform: Platform

    async def missing(self, app: App, ids: Sequence[str]) -> list[str]:
        """A push may leave out the others; should one be tidied away meanwhile, it is refused."""
        path = self.platform.settings.repository(app.id)
        return await asyncio.to_thread(trees.missing, path, ids)
