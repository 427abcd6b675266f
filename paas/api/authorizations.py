"""Tokens and single-use codes, in the form of Heroku's OAuth endpoints.

An authorization that is asked for with a `client` has a `grant`, whose code `POST /oauth/tokens`
changes for a token, once and within ten minutes. One without has its token at once.
"""

import time
from collections import deque
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.api.authentication import TOKEN_SCOPE
from paas.errors import NotFound, UserError
from paas.store import tokens
from paas.store.row import new_id, now
from paas.store.tokens import CODE_LIFETIME, Token

EXPIRES_S_MAX = 10 * 365 * 86400
DESCRIPTION_CHARACTERS_MAX = 200
FAILURES_MAX = 20
FAILURES_WINDOW_S = 60.0


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    lifetime_s = context.number(body, "expires_in", most=EXPIRES_S_MAX)
    database, user = context.platform(request).database, context.user(request)
    if body.get("client") is not None:
        code = await database.run(tokens.create_code, user)
        return JSONResponse(_with_code(user, code, _description(body)), status_code=201)
    token, secret = await database.run(
        tokens.create,
        description=_description(body),
        user=user,
        lifetime=timedelta(seconds=lifetime_s) if lifetime_s else None,
    )
    return JSONResponse(serialise(token, secret), status_code=201)


async def exchange(request: Request) -> Response:
    """A token for a code; open to everybody, so the number of failures is limited."""
    body = await context.json_object(request)
    grant = body.get("grant") or {}
    code = grant.get("code") if isinstance(grant, dict) else None
    if not isinstance(code, str):
        raise context.invalid("grant.code", "the code that `paas auth:code` prints")
    _check_failures(request)
    database = context.platform(request).database
    try:
        token, secret = await database.run(tokens.exchange, code, _description(body))
    except UserError:
        _failures(request).append(time.monotonic())
        raise
    return JSONResponse(serialise(token, secret), status_code=201)


async def index(request: Request) -> Response:
    found = await context.platform(request).database.run(tokens.all)
    return paging.answer(request, [serialise(token, None) for token in found])


async def info(request: Request) -> Response:
    return JSONResponse(serialise(await _token(request), None))


async def delete(request: Request) -> Response:
    token = await _token(request)
    await context.platform(request).database.run(tokens.revoke, token.id)
    return JSONResponse(serialise(token, None))


async def _token(request: Request) -> Token:
    """The one in the path; `~` is the one that was used for this request."""
    wanted = request.path_params["id"]
    wanted = request.scope[TOKEN_SCOPE] if wanted == "~" else wanted
    for token in await context.platform(request).database.run(tokens.all):
        if token.id == wanted:
            return token
    raise NotFound("There is no such token.", "`paas auth:tokens` lists them.")


def serialise(token: Token, secret: str | None) -> dict[str, Any]:
    """Without its secret a token has no `access_token`."""
    left_s = int((token.expires_at - now()).total_seconds()) if token.expires_at else None
    shown = {"expires_in": left_s, "id": token.id, "token": secret} if secret else None
    return _authorization(token.id, token.user, token.description) | {
        "access_token": shown,
        "created_at": serial.moment(token.created_at),
        "last_used_at": serial.moment(token.last_used_at) if token.last_used_at else None,
        "updated_at": serial.moment(token.created_at),
    }


def _with_code(user: str, code: str, description: str) -> dict[str, Any]:
    id, moment = new_id(), serial.moment(now())
    lifetime_s = int(CODE_LIFETIME.total_seconds())
    return _authorization(id, user, description) | {
        "created_at": moment,
        "grant": {"code": code, "expires_in": lifetime_s, "id": id},
        "updated_at": moment,
    }


def _authorization(id: str, user: str, description: str) -> dict[str, Any]:
    return {
        "access_token": None,
        "client": None,
        "description": description,
        "grant": None,
        "id": id,
        "refresh_token": None,
        "scope": ["global"],
        "session": None,
        "user": serial.user_reference(user),
    }


def _description(body: dict[str, Any]) -> str:
    return (context.text(body, "description") or "")[:DESCRIPTION_CHARACTERS_MAX]


def _failures(request: Request) -> deque[float]:
    state = request.app.state
    if not hasattr(state, "code_failures"):
        state.code_failures = deque(maxlen=FAILURES_MAX)
    failures: deque[float] = state.code_failures
    return failures


def _check_failures(request: Request) -> None:
    failures = _failures(request)
    if len(failures) == FAILURES_MAX and time.monotonic() - failures[0] < FAILURES_WINDOW_S:
        raise UserError("rate_limit", "Too many wrong codes.", "Wait a minute.")


ROUTES = [
    Route("/oauth/authorizations", create, methods=["POST"]),
    Route("/oauth/authorizations", index, methods=["GET"]),
    Route("/oauth/authorizations/{id}", info, methods=["GET"]),
    Route("/oauth/authorizations/{id}", delete, methods=["DELETE"]),
    Route("/oauth/tokens", exchange, methods=["POST"]),
]
