"""Passes: what git shows as its password where the owner pushes on the platform's own host.

A pass opens git and nothing else, for an hour, and is signed instead of stored: a push leaves no
token behind. Pure; the key is the database's (`paas.store.passes`).
"""

import hashlib
import hmac
import re

LIFETIME_S = 3600
_FORM = re.compile(r"paasgit_(\d{1,12})_([0-9a-f]{64})")


def make(key: bytes, now_s: float) -> str:
    expires = str(int(now_s) + LIFETIME_S)
    return f"paasgit_{expires}_{_signature(key, expires)}"


def is_valid(key: bytes, text: str, now_s: float) -> bool:
    match = _FORM.fullmatch(text)
    if match is None:
        return False
    expected = _signature(key, match[1])
    return hmac.compare_digest(expected, match[2]) and now_s < int(match[1])


def has_form(text: str) -> bool:
    """Whether it is worth asking for the key."""
    return _FORM.fullmatch(text) is not None


def _signature(key: bytes, expires: str) -> str:
    return hmac.new(key, f"git {expires}".encode(), hashlib.sha256).hexdigest()
