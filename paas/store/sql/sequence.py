"""Numbers that only grow, each given once: the version of the router's table."""

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from paas.store.sql.schema import sequences


def next_value(connection: Connection, name: str) -> int:
    """1, 2, 3, … A transaction that rolls back gives its number to the next one."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(sequences).values(name=name, value=1)
    raised = {"value": sequences.c.value + 1}
    statement = statement.on_conflict_do_update(index_elements=["name"], set_=raised)
    return int(connection.execute(statement.returning(sequences.c.value)).scalar_one())


def current_value(connection: Connection, name: str) -> int:
    """The last number given; 0 before the first."""
    return connection.scalar(sa.select(sequences.c.value).where(sequences.c.name == name)) or 0
