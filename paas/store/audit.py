"""The audit trail: who changed what, from where, and what came of it. Kept for 400 days.

A line is written before the change and ended after it: one without a status was cut off.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.apps import App
from paas.store import apps
from paas.store.sql.row import now
from paas.store.sql.schema import audit

KEPT = timedelta(days=400)
LINES_MAX = 1000


@dataclass(frozen=True)
class Entry:
    id: int
    at: datetime
    user: str
    token_id: str | None
    origin: str
    """An address, or `control socket`, or `git`."""
    agent: str
    """What the client says that it is."""
    action: str
    app_id: str | None
    app: str | None
    """Its name when it happened."""
    detail: str
    status: int | None


def begin(
    connection: Connection,
    *,
    user: str,
    action: str,
    origin: str,
    agent: str = "",
    token_id: str | None = None,
    app: str | None = None,
) -> int:
    """`app` is a name or an id."""
    moment = now()
    connection.execute(sa.delete(audit).where(audit.c.at < moment - KEPT))
    known = (apps.by_name(connection, app) or apps.by_id(connection, app)) if app else None
    values = {
        "at": moment,
        "user": user,
        "token_id": token_id,
        "origin": origin,
        "agent": agent,
        "action": action,
        "app_id": known.id if known else None,
        "app": known.name if known else app,
        "detail": "",
    }
    made = connection.execute(sa.insert(audit).values(values).returning(audit.c.id))
    return int(made.scalar_one())


def end(connection: Connection, id: int, status: int, detail: str, app: App | None = None) -> None:
    """`app`, where only its handler knew which it was."""
    values: dict[str, Any] = {"status": status, "detail": detail}
    values |= {"app_id": app.id, "app": app.name} if app else {}
    connection.execute(sa.update(audit).where(audit.c.id == id).values(values))


def newest(
    connection: Connection, count: int, *, before: int | None = None, app_id: str | None = None
) -> list[Entry]:
    """The newest first; `before` an entry's id, and of one app."""
    wanted: list[Any] = [] if before is None else [audit.c.id < before]
    wanted += [] if app_id is None else [audit.c.app_id == app_id]
    rows = connection.execute(
        sa.select(audit).where(*wanted).order_by(audit.c.id.desc()).limit(count)
    )
    return [Entry(**row._mapping) for row in rows]
