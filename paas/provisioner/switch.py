"""A release goes live: boot all new instances, switch when every one is ready, retire the old.

Nothing is switched until every instance of every type is ready; until then the old release serves,
and any failure leaves it untouched.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from paas.apps import formation as formations
from paas.apps.apps import App
from paas.apps.crons import Given
from paas.apps.formation import Formation
from paas.apps.instances import Instance
from paas.apps.releases import Release, ReleaseStatus
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.platform.tasks import to_the_end
from paas.platform.timeline import Timeline
from paas.provisioner import boot, plan
from paas.provisioner.retire import forget, let_go, retire
from paas.store import crons as cron_store
from paas.store import formation as formation_store
from paas.store import instances, releases
from paas.store.sql.row import now


@dataclass(frozen=True)
class Before:
    """What an app had when its deploy began; `crons` are what it declares, if that is known."""

    formation: Formation
    instances: Sequence[Instance]
    crons: Sequence[Given] | None = None


async def go_live(
    platform: Platform,
    app: App,
    release: Release,
    timeline: Timeline,
    declared: Formation = (),
    crons: Sequence[Given] | None = None,
) -> Release:
    """Make a pending release the current one; the caller holds the app's lock. `declared` is what
    process types begin with that the app never had; `crons` are those of its app.json.

    Raises StartFailed, or what else went wrong, after marking the release failed and taking the
    new instances away. Once it is current, being cancelled no longer matters.
    """
    try:
        before = await platform.database.run(_before, app, release, declared, crons)
        wanted = plan.full(before.formation)
        await boot.start(platform, app, release, wanted, timeline)
    except BaseException as error:
        await asyncio.shield(_fail(platform, release, error))
        raise
    return await to_the_end(_switch(platform, release, before, timeline))


async def replace(
    platform: Platform, app: App, release: Release, old: Sequence[Instance], timeline: Timeline
) -> None:
    """Start the current release's instances anew, then retire those they replace: a restart."""
    entries = await platform.database.run(formation_store.get, app.id)
    await boot.start(platform, app, release, plan.replacing(entries, old), timeline)
    await to_the_end(let_go(platform, old))


async def _switch(
    platform: Platform, release: Release, before: Before, timeline: Timeline
) -> Release:
    async with timeline.step("switch"):
        current = await platform.database.run(_commit, release, before)
        platform.crons_changed.set()
        await platform.routes.publish_or_later()
    retire(platform, before.instances)
    return current


async def _fail(platform: Platform, release: Release, error: BaseException) -> None:
    reason = error.message if isinstance(error, UserError) else "the platform failed"
    if isinstance(error, asyncio.CancelledError):
        reason = "cancelled"
    status = ReleaseStatus.FAILED
    await platform.database.run(releases.set_status, release.id, status, failure=reason)


def _before(
    connection: Connection,
    app: App,
    release: Release,
    declared: Formation,
    crons: Sequence[Given] | None,
) -> Before:
    had = formation_store.get(connection, app.id)
    entries = formations.for_processes(had, release.processes, declared)
    return Before(entries, instances.for_app(connection, app.id), crons)


def _commit(connection: Connection, release: Release, before: Before) -> Release:
    """The moment of truth: one transaction."""
    forget(connection, before.instances)
    formation_store.set(connection, release.app_id, before.formation)
    if before.crons is not None:
        cron_store.declare(connection, release.app_id, before.crons, now())
    return releases.set_status(connection, release.id, ReleaseStatus.SUCCEEDED)
