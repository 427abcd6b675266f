"""Who asks: the owner on the control socket, the bearer of a token, or nobody.

A token comes as `Authorization: Bearer …`, or as the password of Basic with any user name.
`scope["smartplatform.caller"]` is who asks. What a token may do follows from its scopes
(`paas.api.permissions`), what its account may do from its part in the app (`paas.api.roles`). An
app that the account may not view is looked for in vain, whatever is asked of it.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from paas.api import failure, permissions, roles
from paas.api.logins import Logins
from paas.apps import access, scopes
from paas.apps.access import Permission
from paas.apps.account import OWNER, Account
from paas.apps.apps import App
from paas.errors import NotFound, PlatformError, UserError
from paas.store import Database, accounts, collaborators, tokens

OWNER_SCOPE = "smartplatform.owner"
"""Set to True by control, for connections on its own socket only."""
CALLER_SCOPE = "smartplatform.caller"
TOKEN_CHARACTERS_MAX = 256
PUBLIC = re.compile(
    r"/streams/[a-z-]+|/sources/[0-9a-f-]{36}|/hooks/[0-9a-f-]{36}|/oauth/tokens"
    r"|/smartplatform/status"
)
"""Streams, uploads and hooks carry a signature, and a code is exchanged by one who has no token
yet."""


LOGIN = ("POST", "/oauth/authorizations")
"""Where e-mail and password are shown, once: for a token. `heroku login -i` does so, too."""
_TOKEN = re.compile(r"paas(git)?_.*")


@dataclass(frozen=True)
class Caller:
    """Who asks: `token_id` is None on the control socket and at a login; `apps` are the ids of the
    only apps that the token opens; `seen` is the app in the path, where it was looked up, and
    what may be done with it."""

    account: Account
    token_id: str | None = None
    apps: frozenset[str] | None = None
    seen: tuple[App, frozenset[Permission]] | None = None


class Authentication:
    def __init__(self, app: ASGIApp, database: Database, logins: Logins) -> None:
        self.app = app
        self.database = database
        self.logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or PUBLIC.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            caller = await self._who(scope)
        except UserError as error:
            await _refusal(error, Headers(scope=scope))(scope, receive, send)
            return
        except PlatformError:
            message = "The platform's database does not answer."
            content = {"id": "unavailable", "message": message}
            await JSONResponse(content, status_code=503)(scope, receive, send)
            return
        await self.app({**scope, CALLER_SCOPE: caller}, receive, send)

    async def _who(self, scope: Scope) -> Caller:
        if scope.get(OWNER_SCOPE) is True:
            return Caller(OWNER)
        header = Headers(scope=scope).get("authorization", "")
        login = login_of(header) if (scope["method"], scope["path"]) == LOGIN else None
        if login is not None:
            return Caller(await self.logins.check(*login))
        secret = secret_of(header)
        known = await self.database.run(_known, secret, scope["method"], scope["path"])
        if isinstance(known, UserError):
            raise known
        return known


def _known(
    connection: Connection, secret: str | None, method: str, path: str
) -> Caller | UserError:
    """Returned, not raised: that the token was used is written down also where it is refused."""
    token = tokens.authenticate(connection, secret) if secret else None
    account = accounts.by_email(connection, token.user) if token else None
    if token is None or account is None:
        return UserError(
            "unauthorized",
            "Invalid credentials provided." if secret else "There were no credentials.",
            "Log in: run `paas auth:code` on the server, then `paas login` here.",
        )
    apps = None if token.apps is None else frozenset(token.apps)
    needed = permissions.needed(method, path)
    may = needed is None or scopes.allows(token.scope, needed)
    try:
        caller = _permitted(connection, Caller(account, token.id, apps), method, path, may)
    except UserError as error:
        return error
    if needed is not None and not may:
        return scopes.forbidden(token.scope, needed, f"{method} {path}")
    return caller


def _permitted(connection: Connection, caller: Caller, method: str, path: str, may: bool) -> Caller:
    """Raises UserError where the account may not ask that, NotFound where nothing is to be seen."""
    account = caller.account
    name = roles.app_of(path)
    if name is None:
        if not account.operator and not roles.is_open(path):
            if roles.OPERATORS.fullmatch(path):
                message = f"{path} is for those who operate the platform."
                raise UserError("forbidden", message)
            raise NotFound("There is no such endpoint.")
        if caller.apps is not None and not roles.is_for_limited(method, path):
            message = "This token is for some apps only, and for nothing beside them."
            raise UserError("forbidden", message, "`paas auth:token` makes one for more.")
        return caller
    if account.operator and caller.apps is None:
        return caller
    app, held = collaborators.seen(connection, account, name, caller.apps)
    if may:
        access.demand(held, roles.needed(method, path), app.name)
    return replace(caller, seen=(app, held))


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
        value = _user_and_password(value)[1]
    elif scheme.lower() != "bearer":
        return None
    return value if 0 < len(value) <= TOKEN_CHARACTERS_MAX else None


def login_of(header: str) -> tuple[str, str] | None:
    """E-mail and password in an Authorization header, unless the password is a token."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    email, password = _user_and_password(value.strip())
    if "@" not in email or not password or _TOKEN.fullmatch(password):
        return None
    return (email, password) if len(password) <= TOKEN_CHARACTERS_MAX else None


def _user_and_password(value: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return user, password
