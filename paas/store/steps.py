"""Steps of a build or a release and what they took: for people. Nothing is decided by them."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.store.sql.row import found, now
from paas.store.sql.schema import steps


@dataclass(frozen=True)
class Step:
    """`subject_id` is a build's or a release's id; `duration_ms` is None until it has finished."""

    id: int
    app_id: str
    subject_id: str
    name: str
    started_at: datetime
    finished_at: datetime | None
    duration_ms: float | None


def start(
    connection: Connection,
    app_id: str,
    subject_id: str,
    name: str,
    started_at: datetime | None = None,
) -> int:
    """The id of the step, for `finish`."""
    values = {
        "app_id": app_id,
        "subject_id": subject_id,
        "name": name,
        "started_at": started_at or now(),
    }
    result = connection.execute(sa.insert(steps).values(values).returning(steps.c.id))
    return int(result.scalar_one())


def finish(
    connection: Connection, id: int, duration_ms: float, finished_at: datetime | None = None
) -> None:
    """`duration_ms` by a clock that does not jump. Raises NotFound."""
    values = {"finished_at": finished_at or now(), "duration_ms": duration_ms}
    found(connection.execute(sa.update(steps).where(steps.c.id == id).values(values)), "The step")


def record(
    connection: Connection,
    app_id: str,
    subject_id: str,
    name: str,
    started_at: datetime,
    duration_ms: float,
) -> int:
    """A step that is over already (receiving a pack starts before there is a build)."""
    id = start(connection, app_id, subject_id, name)
    values = {"started_at": started_at, "finished_at": now(), "duration_ms": duration_ms}
    connection.execute(sa.update(steps).where(steps.c.id == id).values(values))
    return id


def for_subject(connection: Connection, subject_id: str) -> list[Step]:
    """In the order in which they were recorded."""
    return _select(connection, steps.c.subject_id == subject_id)


def unfinished(connection: Connection) -> list[Step]:
    """Of all apps: what a crash has cut off."""
    return _select(connection, steps.c.finished_at.is_(None))


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Step]:
    rows = connection.execute(sa.select(steps).where(condition).order_by(steps.c.id))
    return [Step(**row._mapping) for row in rows]
