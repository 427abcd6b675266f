"""Whose output a machine's log is: kept after the machine is gone, as long as its log."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.store.sql.row import now, upsert
from paas.store.sql.schema import outputs


@dataclass(frozen=True)
class Output:
    """`process` is what stands in the log's lines: `web.1`."""

    machine_uuid: str
    app_id: str
    process: str
    created_at: datetime


def add(connection: Connection, machine_uuid: str, app_id: str, process: str) -> None:
    key = {"machine_uuid": machine_uuid}
    upsert(connection, outputs, key, app_id=app_id, process=process, created_at=now())


def for_app(connection: Connection, app_id: str) -> list[Output]:
    """Oldest first."""
    statement = sa.select(outputs).where(outputs.c.app_id == app_id)
    rows = connection.execute(statement.order_by(outputs.c.created_at))
    return [Output(**row._mapping) for row in rows]


def all(connection: Connection) -> list[Output]:
    """Of all apps, oldest first."""
    rows = connection.execute(sa.select(outputs).order_by(outputs.c.created_at))
    return [Output(**row._mapping) for row in rows]


def delete(connection: Connection, machine_uuid: str) -> None:
    """It is fine when it is gone already."""
    connection.execute(sa.delete(outputs).where(outputs.c.machine_uuid == machine_uuid))
