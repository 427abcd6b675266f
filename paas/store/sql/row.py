"""What every noun needs of a row: a new identity, the time, insert-or-update, was it there."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult

from paas.errors import NotFound


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> datetime:
    return datetime.now(UTC)


def upsert(connection: Connection, table: Table, key: Mapping[str, Any], **values: Any) -> None:
    """Insert the row, or give the row that has this primary key these values."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def found(result: CursorResult[Any], what: str) -> None:
    """Raises NotFound when the statement touched no row."""
    if result.rowcount == 0:
        raise NotFound(f"{what} does not exist.")
