"""Connections of apps with repositories elsewhere, in the database. An app has one at most."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.git_connections import GitConnection, Kind, Outcome
from paas.errors import NotFound
from paas.store.sql.schema import git_connections


def put(connection: Connection, made: GitConnection) -> GitConnection:
    """In the place of one that the app may have."""
    mine = git_connections.c.app_id == made.app_id
    connection.execute(sa.delete(git_connections).where(mine))
    connection.execute(sa.insert(git_connections).values(vars(made)))
    return made


def of_app(connection: Connection, app_id: str) -> GitConnection | None:
    return _one(connection, git_connections.c.app_id == app_id)


def by_hook(connection: Connection, hook: str) -> GitConnection | None:
    return _one(connection, git_connections.c.hook == hook)


def are_there(connection: Connection) -> bool:
    return connection.scalar(sa.select(git_connections.c.hook).limit(1)) is not None


def due(connection: Connection) -> list[GitConnection]:
    """Those of which a push is not dealt with."""
    waiting = git_connections.c.rung > git_connections.c.seen
    rows = connection.execute(sa.select(git_connections).where(waiting))
    return [_connection(row) for row in rows]


def ring(connection: Connection, app_id: str, *, again: bool = False) -> GitConnection:
    """There is something to be dealt with; `again`: even if it is what was dealt with last.

    Raises NotFound.
    """
    values: dict[str, Any] = {"rung": git_connections.c.rung + 1}
    if again:
        values |= {"commit": "", "outcome": Outcome.ASKED}
    mine = git_connections.c.app_id == app_id
    connection.execute(sa.update(git_connections).where(mine).values(values))
    found = of_app(connection, app_id)
    if found is None:
        raise NotFound("The app is connected with no repository.", "Connect it: paas git:connect")
    return found


def deal(
    connection: Connection, before: GitConnection, commit: str, outcome: Outcome
) -> GitConnection | None:
    """All that was told by then is dealt with, unless it was so already. None where the connection
    is another by now."""
    mine = git_connections.c.hook == before.hook
    values = {"seen": before.rung, "commit": commit, "outcome": outcome}
    earlier = git_connections.c.seen < before.rung
    connection.execute(sa.update(git_connections).where(mine, earlier).values(values))
    return _one(connection, mine)


def delete(connection: Connection, app_id: str) -> GitConnection:
    """The one that is gone. Raises NotFound."""
    found = of_app(connection, app_id)
    if found is None:
        raise NotFound("The app is connected with no repository.")
    connection.execute(sa.delete(git_connections).where(git_connections.c.app_id == app_id))
    return found


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> GitConnection | None:
    row = connection.execute(sa.select(git_connections).where(condition)).first()
    return None if row is None else _connection(row)


def _connection(row: sa.Row[Any]) -> GitConnection:
    kept = {"kind": Kind(row.kind), "outcome": Outcome(row.outcome)}
    return GitConnection(**{**row._mapping, **kept})
