"""Passwords: which are taken, and what of them is kept: argon2id's hash (RFC 9106), no more."""

import secrets
from functools import cache

from paas.errors import UserError

CHARACTERS_LEAST = 10
CHARACTERS_MAX = 256


def check(password: str, email: str) -> str:
    """Raises UserError for one that is short, long, or the address. NIST SP 800-63B §3.1.1 asks
    for length, and for no rules about kinds of letters."""
    if not CHARACTERS_LEAST <= len(password) <= CHARACTERS_MAX:
        raise UserError(
            "invalid_params",
            f"A password has {CHARACTERS_LEAST} to {CHARACTERS_MAX} characters.",
            "A sentence is easy to keep in mind.",
        )
    if len(set(password)) < 4 or password.lower() in (email, email.partition("@")[0]):
        raise UserError("invalid_params", "This password is among the first that people guess.")
    return password


def hashed(password: str) -> str:
    """Takes tens of milliseconds and 64 MiB: for a thread."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(_bytes(password))


def is_right(kept: str | None, password: str) -> bool:
    """Takes as long where nothing is kept: how long it takes must not tell who has an account."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        PasswordHasher().verify(kept or _nobodys(), _bytes(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _nobodys() -> str:
    return hashed(secrets.token_urlsafe(32))


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
