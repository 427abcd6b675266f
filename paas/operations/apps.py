"""Apps: create, rename, destroy, maintenance."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gitserver import trees
from paas import logs
from paas.apps import apps as rules
from paas.apps import branches, roots
from paas.apps.apps import App
from paas.builder import discard as discard_images
from paas.errors import UserError
from paas.operations.alone import alone
from paas.platform.platform import Platform
from paas.platform.tasks import all_of
from paas.provisioner.retire import remove
from paas.store import apps, instances, releases, runs
from paas.store.sql import row


@dataclass(frozen=True)
class Apps:
    platform: Platform

    async def create(self, name: str | None, user: str, root: str = "") -> App:
        """Without a name it gets a random one. Raises UserError for a bad or taken name, and for
        a root that is no folder.

        The repository comes first: an app without one could not be pushed to.
        """
        chosen = rules.check_name(name) if name else rules.random_name()
        folder, moment = roots.check(root), datetime.now(UTC)
        app = App(id=row.new_id(), name=chosen, owner=user, created_at=moment, root=folder)
        repository = self.platform.settings.repository(app.id)
        await asyncio.to_thread(trees.init, repository)
        try:
            await self.platform.database.run(apps.insert, app)
        except UserError:
            await asyncio.to_thread(trees.delete, repository)
            raise
        self.platform.routes.changed()
        self.platform.hostnames_changed.set()
        logs.note(self.platform.settings, app.id, f"Initial release by user {user}")
        return app

    async def rename(self, app: App, name: str) -> App:
        renamed = await self.platform.database.run(apps.rename, app.id, name)
        self.platform.hostnames_changed.set()
        await self.platform.routes.publish_or_later()
        return renamed

    async def set_maintenance(self, app: App, maintenance: bool) -> App:
        changed = await self.platform.database.run(apps.set_maintenance, app.id, maintenance)
        await self.platform.routes.publish_or_later()
        return changed

    async def set_root(self, app: App, root: str, user: str) -> App:
        """For the next build. Raises UserError for what names no folder."""
        changed = await self.platform.database.run(apps.set_root, app.id, root)
        text = f"Root set to {changed.root or '/'} by user {user}"
        logs.note(self.platform.settings, app.id, text)
        return changed

    async def set_deploy_branch(self, app: App, branch: str, user: str) -> App:
        """For the next push; clones begin with it. Raises UserError for what names no branch."""
        changed = await self.platform.database.run(apps.set_deploy_branch, app.id, branch)
        first = branches.deployed(changed.deploy_branch)[0]
        await asyncio.to_thread(trees.set_head, self.platform.settings.repository(app.id), first)
        text = f"Deployed branch set to {changed.deploy_branch or 'main'} by user {user}"
        logs.note(self.platform.settings, app.id, text)
        return changed

    async def set_supersede(self, app: App, supersede: bool, user: str) -> App:
        """From the next push on a newer one takes the place of those that wait, or no more."""
        changed = await self.platform.database.run(apps.set_supersede, app.id, supersede)
        text = (
            f"Newer pushes {'supersede' if supersede else 'wait for'} waiting ones, by user {user}"
        )
        logs.note(self.platform.settings, app.id, text)
        return changed

    async def destroy(self, app: App) -> None:
        """Pushes and builds of the app are cancelled, and told why."""
        self.platform.deploying.stop(app.id)
        await alone(self.platform, app, _destroy(self.platform, app))


async def _destroy(platform: Platform, app: App) -> None:
    try:
        gone = await platform.database.run(_machines, app.id)
        await platform.database.run(apps.delete, app.id)
    except BaseException:
        platform.deploying.resume(app.id)
        raise
    platform.hostnames_changed.set()
    platform.outputs.remove_app(app.id)
    platform.drains.changed.set()
    await platform.routes.publish_or_later()
    platform.background.start(_clear(platform, app, gone), f"clear {app.name}")


async def _clear(platform: Platform, app: App, gone: Sequence[str]) -> None:
    """What is left by a crash in the middle is found at the next start."""
    await asyncio.to_thread(trees.delete, platform.settings.repository(app.id))
    await all_of([remove(platform, machine_uuid) for machine_uuid in gone])
    keep = await platform.database.run(releases.images)
    await discard_images(platform.node, app.id, keep)
    # What was promoted to it is another app's image, which may have been kept for it alone.
    platform.untidy.set()


def _machines(connection: Connection, app_id: str) -> list[str]:
    return [
        item.machine_uuid for noun in (instances, runs) for item in noun.for_app(connection, app_id)
    ]
