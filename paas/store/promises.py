"""Refs that follow a release: written with the release, kept by whoever starts after a crash."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.store.sql.row import upsert
from paas.store.sql.schema import promises


@dataclass(frozen=True)
class Promise:
    """When the release has succeeded, `ref` (a full name) points at `commit`."""

    app_id: str
    release_id: str
    ref: str
    commit: str


def set(connection: Connection, promise: Promise) -> None:
    """Make this the app's promise, instead of the one it had."""
    values = {name: value for name, value in vars(promise).items() if name != "app_id"}
    upsert(connection, promises, {"app_id": promise.app_id}, **values)


def delete(connection: Connection, app_id: str) -> None:
    """It is fine when there is none."""
    connection.execute(sa.delete(promises).where(promises.c.app_id == app_id))


def all(connection: Connection) -> list[Promise]:
    rows = connection.execute(sa.select(promises).order_by(promises.c.app_id))
    return [Promise(**row._mapping) for row in rows]
