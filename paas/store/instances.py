"""Instances in the database: the machines that should exist, written before they do."""

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.instances import Instance
from paas.store.sql.schema import instances


def insert(connection: Connection, instance: Instance) -> Instance:
    connection.execute(sa.insert(instances).values(vars(instance)))
    return instance


def delete(connection: Connection, machine_uuid: str) -> None:
    """It is fine when it is gone already."""
    connection.execute(sa.delete(instances).where(instances.c.machine_uuid == machine_uuid))


def by_machine(connection: Connection, machine_uuid: str) -> Instance | None:
    statement = sa.select(instances).where(instances.c.machine_uuid == machine_uuid)
    row = connection.execute(statement).first()
    return None if row is None else Instance(**row._mapping)


def for_app(connection: Connection, app_id: str) -> list[Instance]:
    """By type and number, the newest last where two have the same."""
    return _select(connection, sa.select(instances).where(instances.c.app_id == app_id))


def all(connection: Connection) -> list[Instance]:
    """Of all apps."""
    return _select(connection, sa.select(instances).order_by(instances.c.app_id))


def _select(connection: Connection, statement: sa.Select[tuple[object, ...]]) -> list[Instance]:
    order = (instances.c.type, instances.c.number, instances.c.created_at)
    return [Instance(**row._mapping) for row in connection.execute(statement.order_by(*order))]
