"""The account that asks: who it is, its name and password, and the end of all its logins."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.api.authentication import OWNER_SCOPE
from paas.apps import account as rules
from paas.errors import NotFound, UserError
from paas.store import accounts
from paas.store.accounts import Listed

CREATED_AT = "2026-01-01T00:00:00.000000Z"
"""The owner was there before anything else."""
REQUESTS_LEFT = 4500
"""Heroku's hourly limit, which is not enforced here."""
_CHANGEABLE = {"name", "password", "new_password", "allow_tracking", "beta"}


async def info(request: Request) -> Response:
    if request.path_params.get("user", "~") not in ("~", context.user(request)):
        raise NotFound("There is no such account.")
    return JSONResponse(_serialise(await _own(request)))


async def update(request: Request) -> Response:
    """Heroku's: a new password needs the old one, if there is one. Tokens stay valid."""
    body = await context.json_object(request)
    unknown = sorted(set(body) - _CHANGEABLE)
    if unknown or body.get("allow_tracking") or body.get("beta"):
        named = unknown[0] if unknown else "allow_tracking or beta"
        raise UserError("invalid_params", f"`{named}` of an account can't be changed.")
    database, email = context.platform(request).database, context.user(request)
    name, new = context.text(body, "name"), context.text(body, "new_password")
    checked = rules.check_name(name) if name is not None else None
    if new is not None:
        await _change_password(request, email, context.text(body, "password"), new)
    elif context.text(body, "password") is not None:
        raise UserError("invalid_params", "`password` is the old one; `new_password` is missing.")
    if checked is not None:
        await database.run(accounts.change, email, {"name": checked})
    return JSONResponse(_serialise(await _own(request)))


async def _change_password(request: Request, email: str, old: str | None, new: str) -> None:
    database, logins = context.platform(request).database, request.app.state.logins
    # Who is root on the host could change it in the database as well.
    is_root = request.scope.get(OWNER_SCOPE) is True
    if not is_root and await database.run(accounts.password_of, email) is not None:
        if old is None:
            raise UserError("invalid_params", "The old password is missing: `password`.")
        await logins.check(email, old)
    hashed = await logins.hashed(new, email)
    await database.run(accounts.set_password, email, hashed)


async def log_out(request: Request) -> Response:
    """All tokens and codes of the account are invalid from then on, also the one that asks."""
    database = context.platform(request).database
    count = await database.run(accounts.log_out, context.user(request))
    return JSONResponse({"tokens": count})


async def rate_limits(request: Request) -> Response:
    return JSONResponse({"remaining": REQUESTS_LEFT})


async def _own(request: Request) -> Listed:
    return await context.platform(request).database.run(accounts.named, context.user(request))


def _serialise(listed: Listed) -> dict[str, Any]:
    account, last = listed.account, listed.last_login_at
    return {
        **serial.user_reference(account.email),
        "id": account.id,
        "name": account.name,
        "operator": account.operator,
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        "created_at": serial.moment(listed.created_at),
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "federated": False,
        "identity_provider": None,
        "last_login": serial.moment(last) if last else None,
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": False,
        "updated_at": serial.moment(listed.updated_at),
        "verified": True,
    }


ROUTES = [
    Route("/account", info, methods=["GET"]),
    Route("/account", update, methods=["PATCH"]),
    Route("/account/rate-limits", rate_limits, methods=["GET"]),
    Route("/account/actions/log-out", log_out, methods=["POST"]),
    Route("/users/{user}", info, methods=["GET"]),
]
