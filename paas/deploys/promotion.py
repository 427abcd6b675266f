"""The story of a promotion: the source's image goes live in each target, without a build.

    the targets          recorded as pending, in one transaction with the promotion
    in a target's turn   its release is pending, with its own config vars and the source's image
    room, release command, boot, ready, switch   as in a deploy
    the target           has succeeded or failed, and says why

Each target goes its own way: one that fails leaves the others. What a crash cuts off has failed,
unless its release had been switched to (`cut_off`).
"""

import asyncio
import contextlib
import logging

from sqlalchemy import Connection

from paas import logs
from paas.apps import formation as formation_rules
from paas.apps import promotions as rules
from paas.apps.apps import App
from paas.apps.promotions import Promotion, Target
from paas.apps.releases import Release, ReleaseStatus
from paas.builder.transcript import Transcript
from paas.deploys import changes
from paas.deploys.outcome import FAULT, why_cancelled
from paas.deploys.rebuild import keep_only
from paas.errors import NotFound, UserError
from paas.platform.platform import Platform
from paas.platform.tasks import to_the_end
from paas.provisioner import room
from paas.provisioner.switch import go_live
from paas.runs import release_command
from paas.runs.release_command import ReleaseCommandFailed
from paas.store import apps, formation, promotions, releases

log = logging.getLogger(__name__)


def start(platform: Platform, promotion: Promotion, target: Target) -> None:
    """In the target's turn; it goes on by itself."""
    name = f"promotion to {target.app_id}"
    task = asyncio.create_task(_in_turn(platform, promotion, target), name=name)
    platform.deploying.add(target.app_id, task)
    platform.background.adopt(task)


async def _in_turn(platform: Platform, promotion: Promotion, target: Target) -> None:
    try:
        async with platform.locks[target.app_id]:
            app = await platform.database.run(apps.by_id, target.app_id)
            if app is not None:
                await _promote(platform, app, promotion, target)
    except asyncio.CancelledError:
        # Control ends, or the app does, which takes its targets along.
        await asyncio.shield(platform.database.run(promotions.end, target.id, "cancelled"))
        raise


async def _promote(platform: Platform, app: App, promotion: Promotion, target: Target) -> None:
    """The app's lock is held."""
    release = None
    try:
        release = await platform.database.run(_pending, app, promotion, target)
        await _go_live(platform, app, release)
    except asyncio.CancelledError:
        reason = why_cancelled(platform, app, asyncio.current_task())
        await asyncio.shield(_fail(platform, app, target, release, reason))
        raise
    except UserError as error:
        await _fail(platform, app, target, release, _why(app, release, error))
    except Exception:
        log.exception("the promotion to %s", app.name)
        await _fail(platform, app, target, release, FAULT)
    else:
        await to_the_end(_succeed(platform, app, target, release))


async def _go_live(platform: Platform, app: App, release: Release) -> None:
    await changes.check_image(platform, release)
    had = await platform.database.run(formation.get, app.id)
    wanted = formation_rules.for_processes(had, release.processes)
    await room.check_formation(platform, app, wanted)
    timeline = platform.timeline(app.id, release.id)
    transcript = Transcript.open(platform.settings, release.id, keep_only)
    with contextlib.closing(transcript):
        await release_command.run(platform, app, release, transcript, timeline)
    await go_live(platform, app, release, timeline)


def _pending(connection: Connection, app: App, promotion: Promotion, target: Target) -> Release:
    """In one transaction: the release that is to be, and that it is this target's."""
    source = releases.by_id(connection, promotion.release_id)
    named = apps.by_id(connection, promotion.app_id)
    current = releases.current(connection, app.id)
    release = releases.insert(
        connection,
        app_id=app.id,
        description=rules.describe(named.name if named else "", source),
        user=promotion.user,
        config=current.config if current else {},
        processes=source.processes,
        commands=source.commands,
        image_uuid=source.image_uuid,
        commit=source.commit,
        runtime_uuid=source.runtime_uuid,
        stack_uuid=source.stack_uuid,
    )
    promotions.begin(connection, target.id, release.id)
    return release


def _why(app: App, release: Release | None, error: UserError) -> str:
    """One line or two: a target has no more room than that."""
    if isinstance(error, ReleaseCommandFailed) and release is not None:
        dyno = f"release.{release.version}"
        return f"{error.message}. Its output: paas logs -a {app.name} -d {dyno}"
    return error.message


async def _succeed(platform: Platform, app: App, target: Target, release: Release) -> None:
    await platform.database.run(promotions.end, target.id)
    text = f"Release {release.name} created by user {release.user}: {release.description}"
    logs.note(platform.settings, app.id, text)


async def _fail(
    platform: Platform, app: App, target: Target, release: Release | None, reason: str
) -> None:
    with contextlib.suppress(NotFound):  # the app may be gone with all of its releases
        await platform.database.run(_record_failure, target, release, reason)
    logs.note(platform.settings, app.id, f"Promotion failed: {reason}")
    platform.untidy.set()


def _record_failure(
    connection: Connection, target: Target, release: Release | None, reason: str
) -> None:
    promotions.end(connection, target.id, reason)
    if release is not None:
        ended = releases.by_id(connection, release.id)
        if ended.status is ReleaseStatus.PENDING:
            releases.set_status(connection, release.id, ReleaseStatus.FAILED, failure=reason)
