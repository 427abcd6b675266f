"""Builds in the database."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.builds import Build, BuildStatus, check_transition
from paas.apps.sources import Source
from paas.errors import NotFound
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import builds


def insert(
    connection: Connection,
    *,
    app_id: str,
    commit: str,
    user: str,
    id: str | None = None,
    source: Source | None = None,
) -> Build:
    """A new pending build."""
    moment = now()
    build = Build(
        id=id or new_id(),
        app_id=app_id,
        commit=commit,
        user=user,
        created_at=moment,
        updated_at=moment,
        source_url=source.url if source else None,
        source_version=source.version if source else None,
        source_checksum=source.checksum if source else None,
    )
    connection.execute(sa.insert(builds).values(vars(build)))
    return build


def set_status(
    connection: Connection,
    id: str,
    status: BuildStatus,
    *,
    image_uuid: str | None = None,
    release_id: str | None = None,
    failure: str | None = None,
) -> Build:
    """Values that are None stay what they were.

    Raises NotFound, and PlatformError when the build has ended otherwise already.
    """
    locked = sa.select(builds).where(builds.c.id == id).with_for_update()
    check_transition(_only(connection.execute(locked).first()).status, status)
    values = {"image_uuid": image_uuid, "release_id": release_id, "failure": failure}
    given = {name: value for name, value in values.items() if value is not None}
    connection.execute(
        sa.update(builds).where(builds.c.id == id).values(status=status, updated_at=now(), **given)
    )
    return by_id(connection, id)


def set_commit(connection: Connection, id: str, commit: str) -> Build:
    """Of a build of an archive, when it is one. Raises NotFound."""
    connection.execute(sa.update(builds).where(builds.c.id == id).values(commit=commit))
    return by_id(connection, id)


def by_id(connection: Connection, id: str) -> Build:
    """Raises NotFound."""
    return _only(connection.execute(sa.select(builds).where(builds.c.id == id)).first())


def all(connection: Connection, app_id: str) -> list[Build]:
    """Newest first."""
    statement = sa.select(builds).where(builds.c.app_id == app_id)
    rows = connection.execute(statement.order_by(builds.c.created_at.desc(), builds.c.id))
    return [_build(row) for row in rows]


def pending(connection: Connection, app_id: str) -> list[Build]:
    """Of an app, oldest first: what waits or is under way."""
    its = (builds.c.app_id == app_id) & (builds.c.status == BuildStatus.PENDING)
    statement = sa.select(builds).where(its).order_by(builds.c.created_at, builds.c.id)
    return [_build(row) for row in connection.execute(statement)]


def unfinished(connection: Connection) -> list[Build]:
    """Of all apps, oldest first: what a crash has left open."""
    statement = sa.select(builds).where(builds.c.status == BuildStatus.PENDING)
    return [_build(row) for row in connection.execute(statement.order_by(builds.c.created_at))]


def _only(row: sa.Row[Any] | None) -> Build:
    if row is None:
        raise NotFound("The build does not exist.")
    return _build(row)


def _build(row: sa.Row[Any]) -> Build:
    return Build(**{**row._mapping, "status": BuildStatus(row.status)})
