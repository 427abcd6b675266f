"""One-off runs in the database: written before their machines are made, deleted when they ended."""

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.runs import Run
from paas.store import instances
from paas.store.sql.schema import runs


def insert(connection: Connection, run: Run) -> Run:
    connection.execute(sa.insert(runs).values(vars(run)))
    return run


def delete(connection: Connection, machine_uuid: str) -> bool:
    """Whether it was there: of several who end a run one may say so."""
    statement = sa.delete(runs).where(runs.c.machine_uuid == machine_uuid)
    return connection.execute(statement).rowcount > 0


def for_app(connection: Connection, app_id: str) -> list[Run]:
    """Oldest first."""
    return _select(connection, sa.select(runs).where(runs.c.app_id == app_id))


def all(connection: Connection) -> list[Run]:
    """Of all apps, oldest first."""
    return _select(connection, sa.select(runs))


def machines(connection: Connection) -> set[str]:
    """The machines that should exist: those of instances and of runs."""
    claimed = {item.machine_uuid for item in instances.all(connection)}
    return claimed | {item.machine_uuid for item in all(connection)}


def _select(connection: Connection, statement: sa.Select[tuple[object, ...]]) -> list[Run]:
    rows = connection.execute(statement.order_by(runs.c.created_at, runs.c.number))
    return [Run(**row._mapping) for row in rows]
