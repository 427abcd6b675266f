"""Tokens, and the single-use codes that become tokens. Only their SHA-256 is stored.

Both are random (256 and 80 bits), so a plain hash needs no salt and an index finds it, and nobody
needs to be kept from guessing: a wrong code costs the right one nothing.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.scopes import EVERYTHING
from paas.errors import NotFound, UserError
from paas.store.sql.row import found, new_id, now
from paas.store.sql.schema import codes, tokens

CODE_LIFETIME = timedelta(minutes=10)
USE_RECORDED_EVERY = timedelta(minutes=1)
"""A write to disk for each request would cost more than the request."""
_CODE = re.compile(r"[a-z2-7]{16}")


@dataclass(frozen=True)
class Token:
    """What is known of a token; the secret itself is not."""

    id: str
    description: str
    user: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    scope: tuple[str, ...] = EVERYTHING
    apps: tuple[str, ...] | None = None
    """Ids of the only apps that it opens; None for all that its user may."""


_COLUMNS = [column for column in tokens.c if column.name != "sha256"]


def create(
    connection: Connection,
    *,
    description: str,
    user: str,
    lifetime: timedelta | None = None,
    scope: Sequence[str] = EVERYTHING,
    apps: Sequence[str] | None = None,
) -> tuple[Token, str]:
    """A new token and its secret, which is said this once. Expired ones are forgotten."""
    moment = now()
    connection.execute(sa.delete(tokens).where(tokens.c.expires_at <= moment))
    expires_at = moment + lifetime if lifetime else None
    only = None if apps is None else tuple(apps)
    token = Token(new_id(), description, user, moment, None, expires_at, tuple(scope), only)
    secret = _secret()
    kept = {"scope": list(scope), "apps": None if only is None else list(only)}
    values = vars(token) | kept | {"sha256": _sha256(secret)}
    connection.execute(sa.insert(tokens).values(values))
    return token, secret


def authenticate(connection: Connection, secret: str) -> Token | None:
    """The token with this secret, unless it has expired; its use is recorded, to the minute."""
    moment = now()
    row = connection.execute(sa.select(*_COLUMNS).where(tokens.c.sha256 == _sha256(secret))).first()
    if row is None:
        return None
    token = _token(row)
    if token.expires_at is not None and token.expires_at <= moment:
        return None
    if token.last_used_at is None or moment - token.last_used_at >= USE_RECORDED_EVERY:
        used = sa.update(tokens).where(tokens.c.id == token.id).values(last_used_at=moment)
        connection.execute(used)
    return token


def of_user(connection: Connection, user: str) -> list[Token]:
    """Those that are valid, oldest first."""
    valid = sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now())
    mine = sa.select(*_COLUMNS).where(valid, tokens.c.user == user)
    rows = connection.execute(mine.order_by(tokens.c.created_at))
    return [_token(row) for row in rows]


def by_id(connection: Connection, id: str, user: str) -> Token:
    """One of this user's. Raises NotFound."""
    mine = sa.select(*_COLUMNS).where(tokens.c.id == id, tokens.c.user == user)
    row = connection.execute(mine).first()
    if row is None:
        raise NotFound("There is no such token.", "`paas auth:tokens` lists them.")
    return _token(row)


def describe(connection: Connection, id: str, description: str) -> None:
    """Raises NotFound."""
    one = sa.update(tokens).where(tokens.c.id == id)
    found(connection.execute(one.values(description=description)), "The token")


def rotate(connection: Connection, id: str) -> str:
    """A new secret for the token; the old one is invalid at once. Raises NotFound."""
    secret = _secret()
    one = sa.update(tokens).where(tokens.c.id == id)
    found(connection.execute(one.values(sha256=_sha256(secret))), "The token")
    return secret


def revoke(connection: Connection, id: str) -> None:
    """Raises NotFound."""
    found(connection.execute(sa.delete(tokens).where(tokens.c.id == id)), "The token")


def create_code(
    connection: Connection,
    user: str,
    scope: Sequence[str] = EVERYTHING,
    lifetime: timedelta = CODE_LIFETIME,
) -> str:
    """A code such as `k7m2-x9pd-w3hn-qzra`, good for one exchange within ten minutes.

    The token that it becomes has the scopes that the code was made with.
    """
    connection.execute(sa.delete(codes).where(codes.c.expires_at <= now()))
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    values = {"sha256": _sha256(letters), "user": user, "expires_at": now() + lifetime}
    connection.execute(sa.insert(codes).values(values | {"scope": list(scope)}))
    return "-".join(letters[index : index + 4] for index in range(0, len(letters), 4))


def exchange(connection: Connection, code: str, description: str) -> tuple[Token, str]:
    """A token for a code. Raises UserError(unauthorized) for one unknown, used or expired."""
    letters = code.strip().lower().replace("-", "")
    row = _taken(connection, letters) if _CODE.fullmatch(letters) else None
    if row is None or row.expires_at <= now():
        raise UserError(
            "unauthorized",
            "This code is unknown, used or expired.",
            "Make another one on the server: paas auth:code",
        )
    return create(connection, description=description, user=row.user, scope=row.scope)


def _taken(connection: Connection, letters: str) -> Any:
    statement = sa.delete(codes).where(codes.c.sha256 == _sha256(letters))
    columns = (codes.c.user, codes.c.expires_at, codes.c.scope)
    return connection.execute(statement.returning(*columns)).first()


def _token(row: sa.Row[Any]) -> Token:
    values = dict(row._mapping)
    only = None if values["apps"] is None else tuple(values["apps"])
    return Token(**values | {"scope": tuple(values["scope"]), "apps": only})


def _secret() -> str:
    return f"paas_{secrets.token_urlsafe(32)}"


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
