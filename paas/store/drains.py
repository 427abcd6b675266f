"""Drains in the database."""

import time

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import drains as rules
from paas.apps.drains import Drain
from paas.errors import NotFound, UserError
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import drains


def add(connection: Connection, app_id: str, url: str) -> Drain:
    """It gets what is written from now on. Raises UserError for too many, and for one that is
    there."""
    every = all(connection)
    mine = [each for each in every if each.app_id == app_id]
    if url in {each.url for each in mine}:
        raise UserError("invalid_params", "Url has already been taken", "`paas drains` lists them.")
    if len(mine) >= rules.DRAINS_MAX:
        message = f"An app can have {rules.DRAINS_MAX} drains."
        raise UserError("conflict", message, "Remove one: paas drains:remove URL")
    if len(every) >= rules.ALL_MAX:
        raise UserError("conflict", f"This server has {rules.ALL_MAX} drains, its most.")
    made = Drain(new_id(), app_id, url, f"d.{new_id()}", now(), time.time_ns())
    connection.execute(sa.insert(drains).values(vars(made)))
    return made


def for_app(connection: Connection, app_id: str) -> list[Drain]:
    """Oldest first."""
    return [each for each in all(connection) if each.app_id == app_id]


def all(connection: Connection) -> list[Drain]:
    """Of all apps, oldest first."""
    rows = connection.execute(sa.select(drains).order_by(drains.c.created_at, drains.c.id))
    return [Drain(**row._mapping) for row in rows]


def named(connection: Connection, app_id: str, name: str) -> Drain:
    """By id, token, or URL as it is or as it is shown. Raises NotFound."""
    for each in for_app(connection, app_id):
        if name in (each.id, each.token, each.url, each.shown):
            return each
    raise NotFound("There is no such drain.", "`paas drains` lists them.")


def remove(connection: Connection, app_id: str, name: str) -> Drain:
    """The one that is gone. Raises NotFound."""
    found = named(connection, app_id, name)
    connection.execute(sa.delete(drains).where(drains.c.id == found.id))
    return found


def see(connection: Connection, seen: dict[str, int]) -> None:
    """By id, how far each has come."""
    for id, seen_ns in seen.items():
        connection.execute(sa.update(drains).where(drains.c.id == id).values(seen_ns=seen_ns))
