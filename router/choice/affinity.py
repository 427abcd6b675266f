"""Sticky sessions: a visitor's cookie leads to the instance that answered before.

The cookie's value is a hash of the app's and the machine's uuid. It means something only by being
in the table that each app has of its own instances, so it leads to no address but theirs, and no
uuid can be read from it. It needs no key: machine uuids are random and known to no visitor.
"""

import re
from hashlib import blake2b
from typing import Final

from router.http.response_head import ResponseHead

NAME: Final = b"smartplatform_affinity"
_COOKIE = re.compile(
    rb"(?i:(?:^|\n)cookie:)(?:[^\r\n]*?[ \t;])?%b=([0-9a-f]{32})(?=[ \t]*[;\r])" % NAME
)


def token(app: str, instance: str) -> bytes:
    return blake2b(f"{app}/{instance}".encode(), digest_size=16).hexdigest().encode()


def given(block: bytes) -> bytes:
    """The token that a request's fields bring, or nothing."""
    found = _COOKIE.search(block) if NAME in block else None
    return found[1] if found is not None else b""


def with_cookie(head: ResponseHead, cookie: bytes, secure: bool) -> ResponseHead:
    """A response's head that also gives the visitor a cookie."""
    line = b"Set-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax%b\r\n" % (
        NAME,
        cookie,
        b"; Secure" if secure else b"",
    )
    changed = ResponseHead(head.status, head.kept + line, head.length, head.framing, head.close)
    changed.trailer, changed.upgrade = head.trailer, head.upgrade
    return changed
