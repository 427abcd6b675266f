"""The key that git's passes are signed with: one for the installation, made when first needed."""

import secrets

from sqlalchemy import Connection

from paas.store import settings

_NAME = "git-pass-key"


def key(connection: Connection) -> bytes:
    known = settings.get(connection, _NAME)
    if known is None:
        known = secrets.token_hex(32)
        settings.set(connection, _NAME, known)
    return bytes.fromhex(known)
