"""SSH keys of accounts: public halves only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.keys import PublicKey
from paas.errors import NotFound, UserError
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import keys
from paas.store.tokens import USE_RECORDED_EVERY


@dataclass(frozen=True)
class Key:
    id: str
    user: str
    fingerprint: str
    line: str
    """The public key as it stands in a file."""
    comment: str
    scope: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None


def add(connection: Connection, user: str, key: PublicKey, scope: Sequence[str]) -> Key:
    """Raises UserError where the key is known: it is one account's, with one set of scopes."""
    known = _where(connection, keys.c.fingerprint == key.fingerprint)
    if known:
        # Whose it is else is nobody's matter; who holds its private half learns nothing new.
        own = f" ({known[0].comment or known[0].fingerprint})" if known[0].user == user else ""
        message = f"This key is here already{own}."
        raise UserError("invalid_params", message, "`paas keys` lists them.")
    made = Key(
        new_id(), user, key.fingerprint, key.line, key.comment, tuple(scope), now(), None
    )  # fmt: skip
    connection.execute(sa.insert(keys).values(vars(made) | {"scope": list(scope)}))
    return made


def of_user(connection: Connection, user: str) -> list[Key]:
    """The oldest first."""
    return _where(connection, keys.c.user == user)


def named(connection: Connection, name: str, user: str) -> Key:
    """One of this user's, by id or fingerprint. Raises NotFound."""
    either = sa.or_(keys.c.id == name, keys.c.fingerprint == name)
    found = _where(connection, sa.and_(keys.c.user == user, either))
    if not found:
        raise NotFound("There is no such key.", "`paas keys` lists them.")
    return found[0]


def of_fingerprint(connection: Connection, fingerprint: str) -> Key | None:
    """The key that somebody shows; its use is recorded, to the minute."""
    found = _where(connection, keys.c.fingerprint == fingerprint)
    if not found:
        return None
    moment, key = now(), found[0]
    if key.last_used_at is None or moment - key.last_used_at >= USE_RECORDED_EVERY:
        one = sa.update(keys).where(keys.c.id == key.id)
        connection.execute(one.values(last_used_at=moment))
    return key


def remove(connection: Connection, id: str) -> None:
    connection.execute(sa.delete(keys).where(keys.c.id == id))


def _where(connection: Connection, condition: Any) -> list[Key]:
    rows = connection.execute(sa.select(keys).where(condition).order_by(keys.c.created_at))
    return [Key(**dict(row._mapping) | {"scope": tuple(row.scope)}) for row in rows]
