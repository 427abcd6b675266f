"""What the installation remembers of itself, by name: small texts that are nobody's noun."""

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.store.sql import row
from paas.store.sql.schema import settings


def get(connection: Connection, name: str) -> str | None:
    return connection.scalar(sa.select(settings.c.value).where(settings.c.name == name))


def set(connection: Connection, name: str, value: str) -> None:
    row.upsert(connection, settings, {"name": name}, value=value)


def delete(connection: Connection, name: str) -> None:
    """It is fine when there is none."""
    connection.execute(sa.delete(settings).where(settings.c.name == name))
