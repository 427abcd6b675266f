"""Tokens, and the single-use codes that become tokens. Only their SHA-256 is stored.

Both are random (256 and 80 bits), so a plain hash needs no salt and an index finds it.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.errors import UserError
from paas.store.row import found, new_id, now
from paas.store.schema import codes, tokens

CODE_LIFETIME = timedelta(minutes=10)
USE_RECORDED_EVERY = timedelta(minutes=1)
"""A write to disk for each request would cost more than the request."""


@dataclass(frozen=True)
class Token:
    """What is known of a token; the secret itself is not."""

    id: str
    description: str
    user: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


_COLUMNS = [column for column in tokens.c if column.name != "sha256"]


def create(
    connection: Connection, *, description: str, user: str, lifetime: timedelta | None = None
) -> tuple[Token, str]:
    """A new token and its secret, which is said this once."""
    secret = f"paas_{secrets.token_urlsafe(32)}"
    moment = now()
    token = Token(
        new_id(), description, user, moment, None, moment + lifetime if lifetime else None
    )
    connection.execute(sa.insert(tokens).values({**vars(token), "sha256": _sha256(secret)}))
    return token, secret


def authenticate(connection: Connection, secret: str) -> Token | None:
    """The token with this secret, unless it has expired; its use is recorded, to the minute."""
    moment = now()
    row = connection.execute(sa.select(*_COLUMNS).where(tokens.c.sha256 == _sha256(secret))).first()
    if row is None:
        return None
    token = Token(**row._mapping)
    if token.expires_at is not None and token.expires_at <= moment:
        return None
    if token.last_used_at is None or moment - token.last_used_at >= USE_RECORDED_EVERY:
        used = sa.update(tokens).where(tokens.c.id == token.id).values(last_used_at=moment)
        connection.execute(used)
    return token


def all(connection: Connection) -> list[Token]:
    """Oldest first."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(tokens.c.created_at))
    return [Token(**row._mapping) for row in rows]


def revoke(connection: Connection, id: str) -> None:
    """Raises NotFound."""
    found(connection.execute(sa.delete(tokens).where(tokens.c.id == id)), "The token")


def create_code(connection: Connection, user: str) -> str:
    """A code such as `k7m2-x9pd-w3hn-qzra`, good for one exchange within ten minutes."""
    connection.execute(sa.delete(codes).where(codes.c.expires_at <= now()))
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    values = {"sha256": _sha256(letters), "user": user, "expires_at": now() + CODE_LIFETIME}
    connection.execute(sa.insert(codes).values(values))
    return "-".join(letters[index : index + 4] for index in range(0, len(letters), 4))


def exchange(connection: Connection, code: str, description: str) -> tuple[Token, str]:
    """A token for a code. Raises UserError(unauthorized) for one unknown, used or expired."""
    letters = code.strip().lower().replace("-", "")
    statement = sa.delete(codes).where(codes.c.sha256 == _sha256(letters))
    row = connection.execute(statement.returning(codes.c.user, codes.c.expires_at)).first()
    if row is None or row.expires_at <= now():
        raise UserError(
            "unauthorized",
            "This code is unknown, used or expired.",
            "Make another one on the server: paas auth:code",
        )
    return create(connection, description=description, user=row.user)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
