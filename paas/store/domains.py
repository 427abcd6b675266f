"""Domains in the database. A host name belongs to one app at most."""

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.domains import Domain
from paas.errors import NotFound, UserError
from paas.store.sql.integrity import conflict
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import domains


def add(connection: Connection, app_id: str, hostname: str) -> Domain:
    """`hostname` as `paas.apps.domains.normalise` gives it. Raises UserError(conflict) if taken."""
    mine = sa.select(domains.c.id).where(domains.c.app_id == app_id, domains.c.hostname == hostname)
    if connection.scalar(mine):
        raise UserError("conflict", f"The app has the domain {hostname} already.")
    domain = Domain(id=new_id(), app_id=app_id, hostname=hostname, created_at=now())
    with conflict(f"The domain {hostname} is already in use by another app."):
        connection.execute(sa.insert(domains).values(vars(domain)))
    return domain


def named(connection: Connection, app_id: str, hostname_or_id: str) -> Domain:
    """Raises NotFound when the app has no such domain."""
    mine = domains.c.app_id == app_id
    either = sa.or_(domains.c.hostname == hostname_or_id, domains.c.id == hostname_or_id)
    row = connection.execute(sa.select(domains).where(mine, either)).first()
    if row is None:
        raise NotFound(f"The app has no domain {hostname_or_id!r}.", "`paas domains` lists them.")
    return Domain(**row._mapping)


def remove(connection: Connection, app_id: str, hostname_or_id: str) -> Domain:
    """The domain that was removed. Raises NotFound."""
    domain = named(connection, app_id, hostname_or_id)
    connection.execute(sa.delete(domains).where(domains.c.id == domain.id))
    return domain


def for_app(connection: Connection, app_id: str) -> list[Domain]:
    """By host name."""
    return _select(connection, sa.select(domains).where(domains.c.app_id == app_id))


def all(connection: Connection) -> list[Domain]:
    """Of all apps, by host name."""
    return _select(connection, sa.select(domains))


def _select(connection: Connection, statement: sa.Select[tuple[object, ...]]) -> list[Domain]:
    rows = connection.execute(statement.order_by(domains.c.hostname))
    return [Domain(**row._mapping) for row in rows]
