"""Accounts, for operators: make, invite, change, remove. Our own: Heroku's people make theirs.

A new account has no password. Its code, good for one login within three days, is the invitation;
whoever has logged in sets a password (`paas auth:password`).
"""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import account as rules
from paas.errors import UserError
from paas.store import accounts, tokens
from paas.store.accounts import Listed

INVITATION_LIFETIME = timedelta(days=3)
_CHANGEABLE = {"name", "operator"}


async def create(request: Request) -> Response:
    """With a `password` there is no code."""
    body = await context.json_object(request)
    email = rules.check_email(context.text(body, "email") or "")
    name = rules.check_name(context.text(body, "name") or "")
    operator, password = context.switch(body, "operator"), context.text(body, "password")
    hashed = None
    if password is not None:
        hashed = await request.app.state.logins.hashed(password, email)
    context.note(request, f"{email}{', operator' if operator else ''}")
    database = context.platform(request).database
    await database.run(accounts.add, email, name, operator=bool(operator))
    if hashed is not None:
        await database.run(accounts.set_password, email, hashed)
    code = None if hashed else await _code(request, email)
    listed = await database.run(accounts.named, email)
    return JSONResponse(_serialise(listed) | _invitation(code), status_code=201)


async def index(request: Request) -> Response:
    found = await context.platform(request).database.run(accounts.all)
    return paging.answer(request, [_serialise(listed) for listed in found])


async def info(request: Request) -> Response:
    return JSONResponse(_serialise(await _named(request)))


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    unknown = sorted(set(body) - _CHANGEABLE)
    if unknown:
        hint = "`name` and `operator` can."
        raise UserError("invalid_params", f"`{unknown[0]}` can't be changed.", hint)
    name, operator = context.text(body, "name"), context.switch(body, "operator")
    values: dict[str, Any] = {} if name is None else {"name": rules.check_name(name)}
    values |= {} if operator is None else {"operator": operator}
    listed = await _named(request)
    database = context.platform(request).database
    if values:
        context.note(request, ", ".join(f"{key}: {value}" for key, value in values.items()))
        listed = await database.run(accounts.change, listed.account.email, values)
    return JSONResponse(_serialise(listed))


async def invite(request: Request) -> Response:
    """Another code in the place of all before it, also for one who has forgotten the password:
    that is forgotten here, too, so that whoever has logged in sets another."""
    email = (await _named(request)).account.email
    database = context.platform(request).database
    await database.run(accounts.forget_password, email)
    code = await _code(request, email)
    return JSONResponse(_serialise(await _named(request)) | _invitation(code), status_code=201)


async def lock(request: Request) -> Response:
    """For one whose computer was stolen: tokens and codes are invalid, the password is gone."""
    listed = await _named(request)
    database = context.platform(request).database
    count = await database.run(accounts.lock, listed.account.email)
    return JSONResponse({**_serialise(await _named(request)), "tokens": count})


async def delete(request: Request) -> Response:
    listed = await _named(request)
    await context.platform(request).database.run(accounts.remove, listed.account.email)
    return JSONResponse(_serialise(listed))


async def _named(request: Request) -> Listed:
    wanted = request.path_params["account"]
    return await context.platform(request).database.run(accounts.named, wanted)


async def _code(request: Request, email: str) -> str:
    return await context.platform(request).database.run(
        tokens.create_code, email, lifetime=INVITATION_LIFETIME
    )


def _invitation(code: str | None) -> dict[str, Any]:
    expires_in = int(INVITATION_LIFETIME.total_seconds())
    return {"invitation": {"code": code, "expires_in": expires_in} if code else None}


def _serialise(listed: Listed) -> dict[str, Any]:
    last = listed.last_login_at
    return {
        "created_at": serial.moment(listed.created_at),
        "email": listed.account.email,
        "has_password": listed.has_password,
        "id": listed.account.id,
        "last_login": serial.moment(last) if last else None,
        "name": listed.account.name,
        "operator": listed.account.operator,
        "updated_at": serial.moment(listed.updated_at),
    }


ROUTES = [
    Route("/smartplatform/accounts", create, methods=["POST"]),
    Route("/smartplatform/accounts", index, methods=["GET"]),
    Route("/smartplatform/accounts/{account}", info, methods=["GET"]),
    Route("/smartplatform/accounts/{account}", update, methods=["PATCH"]),
    Route("/smartplatform/accounts/{account}", delete, methods=["DELETE"]),
    Route("/smartplatform/accounts/{account}/actions/invite", invite, methods=["POST"]),
    Route("/smartplatform/accounts/{account}/actions/lock", lock, methods=["POST"]),
]
