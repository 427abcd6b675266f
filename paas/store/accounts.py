"""Accounts in the database. An address is one account's for ever: apps and releases name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.account import OWNER_EMAIL, Account
from paas.errors import NotFound, UserError
from paas.store.sql.integrity import conflict
from paas.store.sql.row import found, new_id, now
from paas.store.sql.schema import (
    accounts,
    apps,
    codes,
    collaborators,
    keys,
    pipelines,
    tokens,
    transfers,
)


@dataclass(frozen=True)
class Listed:
    """An account and what is known of it, but for the hash."""

    account: Account
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    has_password: bool


def add(connection: Connection, email: str, name: str, *, operator: bool) -> Account:
    """`email` as `paas.apps.account.check_email` gives it. Raises UserError(conflict)."""
    made, moment = Account(new_id(), email, name, operator), now()
    values = vars(made) | {"created_at": moment, "updated_at": moment}
    with conflict(f"There is an account {email} already.", "`paas accounts` lists them."):
        connection.execute(sa.insert(accounts).values(values))
    return made


def by_email(connection: Connection, email: str) -> Account | None:
    row = connection.execute(sa.select(accounts).where(accounts.c.email == email)).first()
    return None if row is None else _account(row)


def named(connection: Connection, email_or_id: str) -> Listed:
    """Raises NotFound."""
    either = sa.or_(accounts.c.email == email_or_id.lower(), accounts.c.id == email_or_id)
    row = connection.execute(sa.select(accounts).where(either)).first()
    if row is None:
        raise NotFound(f"There is no account {email_or_id[:80]!r}.", "`paas accounts` lists them.")
    return _listed(row)


def all(connection: Connection) -> list[Listed]:
    """By address."""
    rows = connection.execute(sa.select(accounts).order_by(accounts.c.email))
    return [_listed(row) for row in rows]


def has_others(connection: Connection) -> bool:
    """Whether there are accounts that do not operate the platform."""
    others = sa.select(accounts.c.id).where(accounts.c.operator.is_(False)).limit(1)
    return connection.execute(others).first() is not None


def password_of(connection: Connection, email: str) -> str | None:
    """The hash; None where there is no password, or no account."""
    kept: str | None = connection.scalar(
        sa.select(accounts.c.password).where(accounts.c.email == email)
    )
    return kept


def set_password(connection: Connection, email: str, hashed: str) -> None:
    """Raises NotFound."""
    _update(connection, email, {"password": hashed})


def change(connection: Connection, email: str, values: Mapping[str, Any]) -> Listed:
    """`name` or `operator`. Raises NotFound, and UserError for the owner's being an operator."""
    if email == OWNER_EMAIL and values.get("operator") is False:
        message = f"{OWNER_EMAIL} is root on the platform's own host, and stays an operator."
        raise UserError("conflict", message)
    _update(connection, email, values)
    return named(connection, email)


def note_login(connection: Connection, email: str) -> None:
    one = sa.update(accounts).where(accounts.c.email == email)
    connection.execute(one.values(last_login_at=now()))


def remove(connection: Connection, email: str) -> None:
    """With its tokens, codes, keys, pipelines and its part in others' apps.

    Raises UserError(conflict) while it owns apps, NotFound."""
    if email == OWNER_EMAIL:
        message = f"{OWNER_EMAIL} is root on the platform's own host, and can't be removed."
        raise UserError("conflict", message)
    owned = list(connection.scalars(sa.select(apps.c.name).where(apps.c.owner == email)))
    if owned:
        raise UserError(
            "conflict",
            f"{email} owns {len(owned)} app{'s' if len(owned) > 1 else ''}:"
            f" {', '.join(sorted(owned)[:10])}.",
            f"Hand them over first: paas apps:transfer EMAIL -a {sorted(owned)[0]}",
        )
    found(connection.execute(sa.delete(accounts).where(accounts.c.email == email)), "The account")
    log_out(connection, email)
    connection.execute(sa.delete(keys).where(keys.c.user == email))
    connection.execute(sa.delete(collaborators).where(collaborators.c.email == email))
    connection.execute(sa.delete(transfers).where(transfers.c.recipient == email))
    connection.execute(sa.delete(pipelines).where(pipelines.c.owner == email))


def log_out(connection: Connection, email: str) -> int:
    """Everywhere: all its tokens and codes are invalid from then on; how many tokens there were."""
    connection.execute(sa.delete(codes).where(codes.c.user == email))
    return connection.execute(sa.delete(tokens).where(tokens.c.user == email)).rowcount


def forget_password(connection: Connection, email: str) -> None:
    """And all codes. Tokens and keys stay. Raises NotFound."""
    _update(connection, email, {"password": None})
    connection.execute(sa.delete(codes).where(codes.c.user == email))


def lock(connection: Connection, email: str) -> int:
    """As `log_out`, and without password and keys: only a new code lets somebody in."""
    _update(connection, email, {"password": None})
    connection.execute(sa.delete(keys).where(keys.c.user == email))
    return log_out(connection, email)


def _update(connection: Connection, email: str, values: Mapping[str, Any]) -> None:
    one = sa.update(accounts).where(accounts.c.email == email)
    found(connection.execute(one.values(**values, updated_at=now())), "The account")


def _listed(row: sa.Row[Any]) -> Listed:
    has_password = row.password is not None
    return Listed(_account(row), row.created_at, row.updated_at, row.last_login_at, has_password)


def _account(row: sa.Row[Any]) -> Account:
    return Account(row.id, row.email, row.name, row.operator)
