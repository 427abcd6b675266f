"""Signed URLs: whoever has one may read that one stream, or send that one archive, for a while.

Heroku's clients open the URLs of logs, build output and uploads without a token.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from paas.errors import UserError

LIFETIME_S = 300
"""To open the stream; one that is open may last."""


class Signer:
    """The key dies with the process, and with it all URLs that were given out."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def sign(
        self,
        path: str,
        parameters: Mapping[str, str],
        *,
        now_s: float | None = None,
        lifetime_s: float = LIFETIME_S,
    ) -> str:
        """`path?parameters&expires=…&signature=…`."""
        expires = int((time.time() if now_s is None else now_s) + lifetime_s)
        query = urlencode(sorted({**parameters, "expires": str(expires)}.items()))
        return f"{path}?{query}&signature={self._signature(path, query)}"

    def check(self, path: str, query: str, *, now_s: float | None = None) -> dict[str, str]:
        """The parameters of a signed query. Raises UserError(forbidden)."""
        signed, _, signature = query.rpartition("&signature=")
        expected = self._signature(path, signed)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise UserError("forbidden", "This URL is not valid.", "Ask for a new one.")
        parameters = dict(parse_qsl(signed, keep_blank_values=True))
        if int(parameters.pop("expires")) < (time.time() if now_s is None else now_s):
            raise UserError("forbidden", "This URL has expired.", "Ask for a new one.")
        return parameters

    def _signature(self, path: str, query: str) -> str:
        return hmac.new(self._key, f"{path}?{query}".encode(), hashlib.sha256).hexdigest()
