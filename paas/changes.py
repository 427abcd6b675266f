"""Releases that need no build: changed config vars, and rollbacks. They switch like a push."""

from collections.abc import Mapping

from sqlalchemy import Connection

from paas import logs
from paas.apps import config as config_rules
from paas.apps import release as release_rules
from paas.apps.app import App
from paas.apps.release import Release, ReleaseStatus
from paas.platform import Platform
from paas.provisioner.deploy import deploy
from paas.store import releases
from paas.timeline import Timeline


async def change_config(
    platform: Platform, app: App, changes: Mapping[str, str | None], user: str
) -> Release:
    """The release with the changed config, live. The caller holds the app's lock.

    Raises UserError for a bad name or value, StartFailed when the app does not start with it.
    """
    release = await platform.database.run(_with_config, app, changes, user)
    return await _live(platform, app, release)


async def rollback(platform: Platform, app: App, version: int, user: str) -> Release:
    """A new release with the image, config and process types of an old one, live."""
    release = await platform.database.run(_again, app, version, user)
    return await _live(platform, app, release)


async def _live(platform: Platform, app: App, release: Release) -> Release:
    if release.status is ReleaseStatus.PENDING:
        release = await deploy(platform, app, release, Timeline())
    text = f"Release {release.name} created by user {release.user}: {release.description}"
    logs.append(platform.settings, app.id, "app", "api", text)
    return release


def _with_config(
    connection: Connection, app: App, changes: Mapping[str, str | None], user: str
) -> Release:
    current = releases.current(connection, app.id)
    config = config_rules.merge(current.config if current else {}, changes)
    return _insert(connection, app, current, config, config_rules.describe(changes), user)


def _again(connection: Connection, app: App, version: int, user: str) -> Release:
    old = release_rules.check_rollback(
        releases.by_version(connection, app.id, version),
        releases.current(connection, app.id),
        version,
    )
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
