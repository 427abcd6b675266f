"""Tokens and single-use codes, in the form of Heroku's OAuth endpoints.

An authorization that is asked for with a `client` has a `grant`, whose code `POST /oauth/tokens`
changes for a token, once and within ten minutes. One without has its token at once.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.api.auditing import origin_of
from paas.api.authentication import OWNER_SCOPE
from paas.apps import passes as gitpass
from paas.apps import scopes as scope
from paas.errors import UserError
from paas.store import accounts, audit, collaborators, passes, tokens
from paas.store.sql.row import new_id, now
from paas.store.tokens import CODE_LIFETIME, Token

EXPIRES_S_MAX = 10 * 365 * 86400
DESCRIPTION_CHARACTERS_MAX = 200


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    lifetime_s = context.number(body, "expires_in", least=1, most=EXPIRES_S_MAX)
    scopes = scope.check(body.get("scope"))
    apps = await _apps(request, body.get("apps"))
    database, user = context.platform(request).database, context.user(request)
    if body.get("client") is not None:
        if apps is not None:
            raise UserError("invalid_params", "A code is for all apps; a token may be for some.")
        code = await database.run(tokens.create_code, user, scopes)
        return JSONResponse(_with_code(user, code, _description(body), scopes), status_code=201)
    token, secret = await database.run(
        tokens.create,
        description=_description(body),
        user=user,
        lifetime=timedelta(seconds=lifetime_s) if lifetime_s else None,
        scope=scopes,
        apps=apps,
    )
    context.note(request, f"{token.description} ({', '.join(token.scope)}), {token.id}")
    return JSONResponse(serialise(token, secret), status_code=201)


async def _apps(request: Request, asked: Any) -> list[str] | None:
    """Ids of the apps that a token is to be limited to; our own: Heroku's open all."""
    if asked is None:
        return None
    if not isinstance(asked, list) or not asked or not all(isinstance(one, str) for one in asked):
        raise context.invalid("apps", "a list of apps, by name or id")
    caller, database = context.caller(request), context.platform(request).database
    seen = [await database.run(collaborators.seen, caller.account, name) for name in asked]
    return list(dict.fromkeys(app.id for app, _ in seen))


async def exchange(request: Request) -> Response:
    """A token for a code; open to everybody, and a code can't be guessed."""
    body = await context.json_object(request)
    grant = body.get("grant") or {}
    code = grant.get("code") if isinstance(grant, dict) else None
    if not isinstance(code, str):
        raise context.invalid("grant.code", "the code that `paas auth:code` prints")
    database = context.platform(request).database
    token, secret = await database.run(
        _exchange, code, _description(body), origin_of(request.scope)
    )
    return JSONResponse(serialise(token, secret), status_code=201)


def _exchange(
    connection: Connection, code: str, description: str, origin: str
) -> tuple[Token, str]:
    """With its line in the audit trail: nobody is known before it."""
    token, secret = tokens.exchange(connection, code, description)
    accounts.note_login(connection, token.user)
    action = "login with a code"
    line = audit.begin(connection, user=token.user, action=action, origin=origin, token_id=token.id)
    audit.end(connection, line, 201, description)
    return token, secret


async def index(request: Request) -> Response:
    user = context.user(request)
    found = await context.platform(request).database.run(tokens.of_user, user)
    return paging.answer(request, [serialise(token, None) for token in found])


async def info(request: Request) -> Response:
    return JSONResponse(serialise(await _token(request), None))


async def update(request: Request) -> Response:
    """Only what a token is for can be changed: scopes and expiry are what its holder was given."""
    body = await context.json_object(request)
    if body.keys() - {"description", "client"} or body.get("client"):
        raise UserError(
            "invalid_params",
            "Only the description of a token can be changed.",
            "Make another token with the scopes it is to have, and revoke this one.",
        )
    token = await _token(request)
    database = context.platform(request).database
    await database.run(tokens.describe, token.id, _description(body))
    return JSONResponse(serialise(await database.run(tokens.by_id, token.id, token.user), None))


async def regenerate(request: Request) -> Response:
    """A new secret; whoever has the old one is locked out at once."""
    token = await _token(request)
    secret = await context.platform(request).database.run(tokens.rotate, token.id)
    return JSONResponse(serialise(token, secret))


async def delete(request: Request) -> Response:
    token = await _token(request)
    await context.platform(request).database.run(tokens.revoke, token.id)
    return JSONResponse(serialise(token, None))


async def git_pass(request: Request) -> Response:
    """What git shows as its password; for the owner on the platform's own host."""
    if request.scope.get(OWNER_SCOPE) is not True:
        raise UserError("forbidden", "Passes for git are made on the platform's own host only.")
    key = await context.platform(request).database.run(passes.key)
    made = gitpass.make(key, now().timestamp())
    return JSONResponse({"expires_in": gitpass.LIFETIME_S, "pass": made}, status_code=201)


async def _token(request: Request) -> Token:
    """The one in the path; `~` is the one that was used for this request."""
    wanted = request.path_params["id"]
    caller = context.caller(request)
    wanted = caller.token_id or "" if wanted == "~" else wanted
    database = context.platform(request).database
    return await database.run(tokens.by_id, wanted, caller.account.email)


def serialise(token: Token, secret: str | None) -> dict[str, Any]:
    """Without its secret a token has no `access_token`."""
    left_s = int((token.expires_at - now()).total_seconds()) if token.expires_at else None
    shown = {"expires_in": left_s, "id": token.id, "token": secret} if secret else None
    return _authorization(token.id, token.user, token.description, token.scope) | {
        "access_token": shown,
        "apps": None if token.apps is None else list(token.apps),
        "created_at": serial.moment(token.created_at),
        "expires_at": serial.moment(token.expires_at) if token.expires_at else None,
        "last_used_at": serial.moment(token.last_used_at) if token.last_used_at else None,
        "updated_at": serial.moment(token.created_at),
    }


def _with_code(user: str, code: str, description: str, scopes: tuple[str, ...]) -> dict[str, Any]:
    id, moment = new_id(), serial.moment(now())
    lifetime_s = int(CODE_LIFETIME.total_seconds())
    return _authorization(id, user, description, scopes) | {
        "created_at": moment,
        "grant": {"code": code, "expires_in": lifetime_s, "id": id},
        "updated_at": moment,
    }


def _authorization(id: str, user: str, description: str, scopes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "access_token": None,
        "client": None,
        "description": description,
        "grant": None,
        "id": id,
        "refresh_token": None,
        "scope": list(scopes),
        "session": None,
        "user": serial.user_reference(user),
    }


def _description(body: dict[str, Any]) -> str:
    return (context.text(body, "description") or "")[:DESCRIPTION_CHARACTERS_MAX]


ROUTES = [
    Route("/oauth/authorizations", create, methods=["POST"]),
    Route("/oauth/authorizations", index, methods=["GET"]),
    Route("/oauth/authorizations/{id}", info, methods=["GET"]),
    Route("/oauth/authorizations/{id}", update, methods=["PATCH"]),
    Route("/oauth/authorizations/{id}", delete, methods=["DELETE"]),
    Route("/oauth/authorizations/{id}/actions/regenerate-tokens", regenerate, methods=["POST"]),
    Route("/oauth/tokens", exchange, methods=["POST"]),
    Route("/smartplatform/git-passes", git_pass, methods=["POST"]),
]
