"""What every handler asks of its request: the platform, the account, the app, the JSON body."""

import asyncio
import json
from typing import Any

from starlette.requests import Request

from paas.api.auditing import NOTES_SCOPE, Notes
from paas.api.authentication import CALLER_SCOPE, Caller
from paas.apps import access
from paas.apps.access import ALL, Permission
from paas.apps.apps import App
from paas.errors import UserError
from paas.operations.served import Served
from paas.store import apps, collaborators

BODY_BYTES_MAX = 1024 * 1024
BODY_TIMEOUT_S = 30.0
"""For the whole body: a sender who stops in the middle is not waited for."""


def platform(request: Request) -> Served:
    found: Served = request.app.state.platform
    return found


def caller(request: Request) -> Caller:
    """Who asks."""
    found: Caller = request.scope[CALLER_SCOPE]
    return found


def user(request: Request) -> str:
    """The e-mail of the account that asks."""
    return caller(request).account.email


async def app_of(request: Request) -> App:
    """The app in the path, by name or id. Raises NotFound."""
    seen = caller(request).seen
    # By its id: between the two look-ups another app may have come to have the name.
    wanted = seen[0].id if seen else request.path_params["app"]
    return await platform(request).database.run(apps.named, wanted)


def note(request: Request, text: str, app: App | None = None) -> None:
    """A word for the audit trail: what was changed, never a secret; of which app, where the path
    does not say so."""
    notes: Notes | None = request.scope.get(NOTES_SCOPE)
    if notes is not None:
        notes.texts.append(text)
        notes.app = app or notes.app


def demand(request: Request, *needed: Permission) -> None:
    """One of these for the app in the path, where the path alone does not say so. Raises
    UserError(forbidden)."""
    seen = caller(request).seen
    held = seen[1] if seen else ALL
    access.demand(held, frozenset(needed), seen[0].name if seen else "")


async def app_named(request: Request, name: str, *needed: Permission) -> App:
    """The app that a body names, by name or id, with which the account may do one of these.

    Raises NotFound, and UserError(forbidden).
    """
    asks = caller(request)
    look = collaborators.seen
    app, held = await platform(request).database.run(look, asks.account, name, asks.apps)
    access.demand(held, frozenset(needed or {Permission.VIEW}), app.name)
    return app


async def visible(request: Request) -> set[str]:
    """The ids of the apps that the account sees."""
    asks = caller(request)
    found = await platform(request).database.run(collaborators.visible, asks.account, asks.apps)
    return {app.id for app in found}


def reference(body: dict[str, Any], key: str) -> str:
    """A name or an id, by itself or as `{"id": …}` or `{"name": …}`. Raises UserError."""
    value = body.get(key)
    if isinstance(value, dict):
        value = value.get("id") or value.get("name")
    if not isinstance(value, str) or not value:
        raise invalid(key, "a name or an id")
    return value


async def json_object(request: Request) -> dict[str, Any]:
    """The body; an empty one is an empty object.

    Raises UserError for any other, for a large one and for one that does not come.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            text = await _body(request)
    except TimeoutError as error:
        raise UserError(
            "request_timeout", f"The body did not come within {BODY_TIMEOUT_S:g} s."
        ) from error
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("bad_request", "The body of the request is not JSON.") from error
    if not isinstance(body, dict):
        raise UserError("bad_request", "The body of the request is not a JSON object.")
    return body


async def _body(request: Request) -> bytes:
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > BODY_BYTES_MAX:
            raise UserError("request_entity_too_large", "The body of the request is too large.")
    return found


def text(body: dict[str, Any], key: str) -> str | None:
    """A string, or None when it is absent or null. Raises UserError(invalid_params)."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise invalid(key, "a string")
    return value


def number(body: dict[str, Any], key: str, *, most: int, least: int = 0) -> int | None:
    """A whole number from `least` to `most`, or None. Raises UserError(invalid_params)."""
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(key, f"a number from {least} to {most}")
    return value


def switch(body: dict[str, Any], key: str) -> bool | None:
    """True, false, or None when it is absent or null (0 and 1 count as well)."""
    value = body.get(key)
    if value is not None and value not in (True, False):
        raise invalid(key, "true or false")
    return None if value is None else bool(value)


def invalid(key: str, kind: str) -> UserError:
    return UserError("invalid_params", f"`{key}` must be {kind}.")
