"""Who asks: the owner on the control socket, the bearer of a token, or nobody.

A token comes as `Authorization: Bearer …`, or as the password of Basic with any user name.
`scope["smartplatform.user"]` is the e-mail, `scope["smartplatform.token"]` the token's id or None.
What a token may do follows from its scopes (`paas.api.permissions`).
"""

import base64
import binascii
import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from paas.api import failure, permissions
from paas.apps import scopes
from paas.apps.account import OWNER
from paas.errors import PlatformError, UserError
from paas.store import Database, tokens

OWNER_SCOPE = "smartplatform.owner"
"""Set to True by control, for connections on its own socket only."""
USER_SCOPE = "smartplatform.user"
TOKEN_SCOPE = "smartplatform.token"
TOKEN_CHARACTERS_MAX = 256
PUBLIC = re.compile(
    r"/streams/[a-z-]+|/sources/[0-9a-f-]{36}|/hooks/[0-9a-f-]{36}|/oauth/tokens"
    r"|/smartplatform/status"
)
"""Streams, uploads and hooks carry a signature, and a code is exchanged by one who has no token
yet."""


class Authentication:
    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or PUBLIC.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            user, token_id = await self._who(scope)
        except UserError as error:
            await _refusal(error, Headers(scope=scope))(scope, receive, send)
            return
        except PlatformError:
            message = "The platform's database does not answer."
            content = {"id": "unavailable", "message": message}
            await JSONResponse(content, status_code=503)(scope, receive, send)
            return
        await self.app({**scope, USER_SCOPE: user, TOKEN_SCOPE: token_id}, receive, send)

    async def _who(self, scope: Scope) -> tuple[str, str | None]:
        if scope.get(OWNER_SCOPE) is True:
            return OWNER.email, None
        secret = secret_of(Headers(scope=scope).get("authorization", ""))
        token = await self.database.run(tokens.authenticate, secret) if secret else None
        if token is None:
            raise UserError(
                "unauthorized",
                "Invalid credentials provided." if secret else "There were no credentials.",
                "Log in: run `paas auth:code` on the server, then `paas login` here.",
            )
        needed = permissions.needed(scope["method"], scope["path"])
        if needed is not None and not scopes.allows(token.scope, needed):
            raise scopes.forbidden(token.scope, needed, f"{scope['method']} {scope['path']}")
        return token.user, token.id


def _refusal(error: UserError, headers: Headers) -> JSONResponse:
    """A body that nobody will read is not waited for: the connection ends with the answer."""
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    content = failure.body(error, headers.get("user-agent", ""))
    more = {"Connection": "close"} if has_body else None
    return JSONResponse(content, status_code=failure.STATUS[error.id], headers=more)


def secret_of(header: str) -> str | None:
    """The token in an Authorization header (RFC 6750 §2.1, RFC 7617 §2), or None."""
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        value = _password(value)
    elif scheme.lower() != "bearer":
        return None
    return value if 0 < len(value) <= TOKEN_CHARACTERS_MAX else None


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
