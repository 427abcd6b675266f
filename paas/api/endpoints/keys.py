"""SSH keys of the account, in the form of Heroku's endpoint; ours have a scope as well."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import keys as key_rules
from paas.apps import scopes
from paas.store import keys
from paas.store.keys import Key


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    line = context.text(body, "public_key")
    if not line:
        raise context.invalid("public_key", "the line of a public key")
    key = key_rules.parse(line)
    asked = body.get("scope")
    scope = key_rules.DEFAULT_SCOPE if asked is None else scopes.check(asked)
    database, user = context.platform(request).database, context.user(request)
    made = await database.run(keys.add, user, key, scope)
    return JSONResponse(serialise(made), status_code=201)


async def index(request: Request) -> Response:
    found = await context.platform(request).database.run(keys.of_user, context.user(request))
    return paging.answer(request, [serialise(key) for key in found])


async def info(request: Request) -> Response:
    return JSONResponse(serialise(await _key(request)))


async def delete(request: Request) -> Response:
    key = await _key(request)
    await context.platform(request).database.run(keys.remove, key.id)
    return JSONResponse(serialise(key))


async def _key(request: Request) -> Key:
    """The one in the path, by id or fingerprint (which may have a slash in it)."""
    wanted, user = request.path_params["key"], context.user(request)
    return await context.platform(request).database.run(keys.named, wanted, user)


def serialise(key: Key) -> dict[str, Any]:
    return {
        "comment": key.comment,
        "created_at": serial.moment(key.created_at),
        "email": key.user,
        "fingerprint": key.fingerprint,
        "id": key.id,
        "last_used_at": serial.moment(key.last_used_at) if key.last_used_at else None,
        "public_key": key.line,
        "scope": list(key.scope),
        "updated_at": serial.moment(key.created_at),
    }


ROUTES = [
    Route("/account/keys", create, methods=["POST"]),
    Route("/account/keys", index, methods=["GET"]),
    Route("/account/keys/{key:path}", info, methods=["GET"]),
    Route("/account/keys/{key:path}", delete, methods=["DELETE"]),
]
