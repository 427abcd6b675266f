"""Releases in the database."""

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.releases import Command, Release, ReleaseStatus, check_transition
from paas.errors import NotFound
from paas.store import apps
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import releases


def insert(
    connection: Connection,
    *,
    app_id: str,
    description: str,
    user: str,
    config: Mapping[str, str],
    processes: Mapping[str, str],
    commands: Mapping[str, Command] | None = None,
    image_uuid: str | None = None,
    commit: str | None = None,
    runtime_uuid: str | None = None,
    stack_uuid: str | None = None,
    status: ReleaseStatus = ReleaseStatus.PENDING,
    id: str | None = None,
) -> Release:
    """A new release with the app's next version. Raises NotFound when the app is gone."""
    apps.lock(connection, app_id)
    newest = sa.select(sa.func.max(releases.c.version)).where(releases.c.app_id == app_id)
    moment = now()
    release = Release(
        id=id or new_id(),
        app_id=app_id,
        version=(connection.scalar(newest) or 0) + 1,
        description=description,
        user=user,
        created_at=moment,
        updated_at=moment,
        status=status,
        image_uuid=image_uuid,
        commit=commit,
        runtime_uuid=runtime_uuid,
        stack_uuid=stack_uuid,
        config=dict(config),
        processes=dict(processes),
        commands=dict(commands or {}),
    )
    connection.execute(sa.insert(releases).values(vars(release)))
    return release


def set_status(
    connection: Connection, id: str, status: ReleaseStatus, failure: str | None = None
) -> Release:
    """Raises NotFound, and PlatformError when the release has ended otherwise already."""
    row = connection.execute(sa.select(releases).where(releases.c.id == id).with_for_update())
    release = _only(row.first())
    check_transition(release.status, status)
    connection.execute(
        sa.update(releases)
        .where(releases.c.id == id)
        .values(status=status, failure=failure, updated_at=now())
    )
    return by_id(connection, id)


def current(connection: Connection, app_id: str) -> Release | None:
    """The newest release that succeeded: the one that should be running."""
    return _first(
        connection, releases.c.app_id == app_id, releases.c.status == ReleaseStatus.SUCCEEDED
    )


def newest(connection: Connection, app_id: str) -> Release | None:
    """The one with the highest version, whatever became of it."""
    return _first(connection, releases.c.app_id == app_id)


def by_version(connection: Connection, app_id: str, version: int) -> Release | None:
    return _first(connection, releases.c.app_id == app_id, releases.c.version == version)


def by_id(connection: Connection, id: str) -> Release:
    """Raises NotFound."""
    return _only(connection.execute(sa.select(releases).where(releases.c.id == id)).first())


def named(connection: Connection, app_id: str, id_or_version: str) -> Release:
    """By id, `v12` or `12`, among the app's own. Raises NotFound."""
    version = re.fullmatch(r"v?([1-9][0-9]{0,8})", id_or_version, re.IGNORECASE)
    wanted = releases.c.version == int(version[1]) if version else releases.c.id == id_or_version
    release = _first(connection, releases.c.app_id == app_id, wanted)
    if release is None:
        raise NotFound(f"There is no release {id_or_version!r}.", "`paas releases` lists them.")
    return release


def all(connection: Connection, app_id: str) -> list[Release]:
    """Newest first."""
    statement = sa.select(releases).where(releases.c.app_id == app_id)
    rows = connection.execute(statement.order_by(releases.c.version.desc()))
    return [_release(row) for row in rows]


def images(connection: Connection) -> set[str]:
    """Of all apps: those of releases that ran or may run."""
    wanted = (releases.c.status != ReleaseStatus.FAILED) & releases.c.image_uuid.is_not(None)
    return set(connection.scalars(sa.select(releases.c.image_uuid).where(wanted)))


def pending(connection: Connection) -> list[Release]:
    """Of all apps, oldest first: what a crash has left open."""
    statement = sa.select(releases).where(releases.c.status == ReleaseStatus.PENDING)
    return [_release(row) for row in connection.execute(statement.order_by(releases.c.created_at))]


def _first(connection: Connection, *conditions: sa.ColumnElement[bool]) -> Release | None:
    statement = sa.select(releases).where(*conditions).order_by(releases.c.version.desc()).limit(1)
    row = connection.execute(statement).first()
    return None if row is None else _release(row)


def _only(row: sa.Row[Any] | None) -> Release:
    if row is None:
        raise NotFound("The release does not exist.")
    return _release(row)


def _release(row: sa.Row[Any]) -> Release:
    return Release(**{**row._mapping, "status": ReleaseStatus(row.status)})
