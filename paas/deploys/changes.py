"""Releases that need no build: changed config vars, and rollbacks. They switch like a push."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from paas import logs
from paas.apps import config_vars as config_rules
from paas.apps import releases as release_rules
from paas.apps.apps import App
from paas.apps.crons import Given
from paas.apps.releases import RELEASES_KEPT, Release, ReleaseStatus
from paas.deploys import declared_crons
from paas.errors import PlatformError, UserError
from paas.node.client import Manifest
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.provisioner.boot import NODE_AWAY_S
from paas.provisioner.switch import go_live
from paas.store import releases


async def change_config(
    platform: Platform, app: App, changes: Mapping[str, str | None], user: str
) -> Release:
    """The release with the changed config, live; the current one when that has it already.

    The caller holds the app's lock.

    Raises UserError for a bad name or value, StartFailed when the app does not start with it.
    """
    release, is_new = await platform.database.run(_with_config, app, changes, user)
    return await _live(platform, app, release) if is_new else release


async def rollback(platform: Platform, app: App, version: int, user: str) -> Release:
    """A new release with the image, config and process types of an old one, live.

    Raises UserError before anything changes when the old one can't run any more.
    """
    old = await platform.database.run(_old, app, version)
    await check_image(platform, old)
    release = await platform.database.run(_again, app, version, user)
    return await _live(platform, app, release, await declared_crons.of(platform, app, old))


async def _live(
    platform: Platform, app: App, release: Release, crons: Sequence[Given] | None = None
) -> Release:
    """`crons` are those of its app.json, where they may be others than before."""
    if release.status is ReleaseStatus.PENDING:
        timeline = platform.timeline(app.id, release.id)
        release = await go_live(platform, app, release, timeline, crons=crons)
    text = f"Release {release.name} created by user {release.user}: {release.description}"
    logs.note(platform.settings, app.id, text)
    return release


def _with_config(
    connection: Connection, app: App, changes: Mapping[str, str | None], user: str
) -> tuple[Release, bool]:
    """The release that has this config, and whether it was made for it."""
    current = releases.current(connection, app.id)
    config = config_rules.merge(current.config if current else {}, changes)
    if current is not None and config == current.config:
        return current, False
    release = _insert(connection, app, current, config, config_rules.describe(changes), user)
    return release, True


async def check_image(platform: Platform, old: Release) -> None:
    """Raises UserError where the release's image is gone."""
    installed = {image["uuid"] for image in await _images(platform)}
    if old.image_uuid not in installed:
        raise UserError(
            "image_deleted",
            f"The image of {old.name} was deleted: only the newest {RELEASES_KEPT} are kept.",
            f"Push its commit again: git push --force paas {(old.commit or '')[:12]}:main",
        )


async def _images(platform: Platform) -> list[Manifest]:
    try:
        return await platform.machines.persist(platform.node.images, NODE_AWAY_S)
    except NodeError as error:
        raise PlatformError(f"the images can't be listed: {error.message}") from error


def _old(connection: Connection, app: App, version: int) -> Release:
    return release_rules.check_rollback(
        releases.by_version(connection, app.id, version),
        releases.current(connection, app.id),
        version,
    )


def _again(connection: Connection, app: App, version: int, user: str) -> Release:
    old = _old(connection, app, version)
    return _insert(connection, app, old, old.config, f"Rollback to {old.name}", user)


def _insert(
    connection: Connection,
    app: App,
    like: Release | None,
    config: Mapping[str, str],
    description: str,
    user: str,
) -> Release:
    """Without an image there is nothing to start, so such a release is live at once."""
    built = like is not None and like.image_uuid is not None
    return releases.insert(
        connection,
        app_id=app.id,
        description=description,
        user=user,
        config=config,
        processes=like.processes if like else {},
        commands=like.commands if like else {},
        image_uuid=like.image_uuid if like else None,
        commit=like.commit if like else None,
        runtime_uuid=like.runtime_uuid if like else None,
        stack_uuid=like.stack_uuid if like else None,
        status=ReleaseStatus.PENDING if built else ReleaseStatus.SUCCEEDED,
    )
