"""Formations in the database."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.formation import Formation, FormationEntry, ordered
from paas.store.sql import row
from paas.store.sql.schema import formation


def get(connection: Connection, app_id: str) -> Formation:
    """`web` first, then by type; empty before the first release."""
    columns = (formation.c.type, formation.c.quantity, formation.c.package)
    rows = connection.execute(sa.select(*columns).where(formation.c.app_id == app_id))
    return ordered(FormationEntry(**row._mapping) for row in rows)


def set(connection: Connection, app_id: str, entries: Iterable[FormationEntry]) -> Formation:
    """Write these entries; types that are not among them stay as they are."""
    for entry in entries:
        key = {"app_id": app_id, "type": entry.type}
        row.upsert(connection, formation, key, quantity=entry.quantity, package=entry.package)
    return get(connection, app_id)
