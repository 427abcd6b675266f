"""Trunks in the database: per app the newest built tree, which the next build starts from."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.store.sql import row
from paas.store.sql.schema import trunks


@dataclass(frozen=True)
class Trunk:
    """`lock_key` says which lock file (and runtime) the dependencies in it were installed for."""

    app_id: str
    image_uuid: str
    commit: str
    lock_key: str
    updated_at: datetime


def get(connection: Connection, app_id: str) -> Trunk | None:
    found = connection.execute(sa.select(trunks).where(trunks.c.app_id == app_id)).first()
    return None if found is None else Trunk(**found._mapping)


def set(
    connection: Connection, app_id: str, *, image_uuid: str, commit: str, lock_key: str
) -> Trunk:
    """Make this the app's trunk, instead of the one it had."""
    trunk = Trunk(app_id, image_uuid, commit, lock_key, row.now())
    values = {name: value for name, value in vars(trunk).items() if name != "app_id"}
    row.upsert(connection, trunks, {"app_id": app_id}, **values)
    return trunk


def delete(connection: Connection, app_id: str) -> None:
    """It is fine when there is none."""
    connection.execute(sa.delete(trunks).where(trunks.c.app_id == app_id))


def all(connection: Connection) -> list[Trunk]:
    rows = connection.execute(sa.select(trunks).order_by(trunks.c.app_id))
    return [Trunk(**found._mapping) for found in rows]
