"""How many instances of each process type an app has, and how large they are: scale."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from paas import logs
from paas.apps import formation as rules
from paas.apps.apps import App
from paas.apps.formation import FormationChange
from paas.operations.alone import alone
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.provisioner.scale import converge
from paas.store import formation


@dataclass(frozen=True)
class Formation:
    platform: Platform

    async def scale(
        self, app: App, changes: Sequence[FormationChange], user: str
    ) -> rules.Formation:
        """The whole formation afterwards."""
        return await alone(self.platform, app, _scale(self.platform, app, changes, user))


async def _scale(
    platform: Platform, app: App, changes: Sequence[FormationChange], user: str
) -> rules.Formation:
    before = await platform.database.run(formation.get, app.id)
    after = rules.apply(before, changes)
    await platform.database.run(formation.set, app.id, after)
    text = " ".join(f"{entry.type}@{entry.quantity}:{entry.package}" for entry in after)
    logs.note(platform.settings, app.id, f"Scaled to {text} by user {user}")
    try:
        await converge(platform, app, Timeline())
    except BaseException:
        # What could not start must not be tried for ever: the old formation counts again.
        await asyncio.shield(platform.database.run(formation.set, app.id, before))
        raise
    return after
