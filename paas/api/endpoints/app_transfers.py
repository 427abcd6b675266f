"""Transfers of apps between accounts, by Heroku's endpoints.

One is pending until its recipient has answered. Who operates the platform hands an app over at
once.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import access
from paas.apps import transfers as rules
from paas.apps.access import Permission
from paas.apps.account import check_email
from paas.apps.apps import App
from paas.apps.transfers import State, Transfer
from paas.errors import NotFound
from paas.store import apps, collaborators, transfers


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    asked, recipient = (_named_in(body, key) for key in ("app", "recipient"))
    caller, database = context.caller(request), context.platform(request).database
    app, held = await database.run(collaborators.seen, caller.account, asked, caller.apps)
    access.demand(held, frozenset({Permission.MANAGE}), app.name)
    email = rules.check_recipient(app.owner, check_email(recipient), app.name)
    made = await database.run(transfers.begin, app, email)
    if caller.account.operator or email == caller.account.email:
        made = await database.run(transfers.accept, made)
    context.note(request, f"{app.name} to {email}: {made.state}", app)
    return JSONResponse(_serialise(app, made), status_code=201)


async def index(request: Request) -> Response:
    database, email = context.platform(request).database, context.user(request)
    found = await database.run(transfers.of_account, email)
    listed = [(await database.run(apps.by_id, one.app_id), one) for one in found]
    return paging.answer(request, [_serialise(app, one) for app, one in listed if app])


async def info(request: Request) -> Response:
    app, transfer = await _named(request)
    return JSONResponse(_serialise(app, transfer))


async def update(request: Request) -> Response:
    """The recipient's answer; nobody answers in somebody's place."""
    state = rules.check_answer(context.text(await context.json_object(request), "state"))
    app, transfer = await _named(request)
    if transfer.recipient != context.user(request):
        raise _unknown()
    change = transfers.accept if state is State.ACCEPTED else transfers.decline
    changed = await context.platform(request).database.run(change, transfer)
    context.note(request, f"{app.name} from {transfer.owner}: {changed.state}", app)
    return JSONResponse(_serialise(app, changed))


async def delete(request: Request) -> Response:
    app, transfer = await _named(request)
    if transfer.owner != context.user(request):
        raise _unknown()
    await context.platform(request).database.run(transfers.delete, transfer.id)
    return JSONResponse(_serialise(app, transfer))


async def _named(request: Request) -> tuple[App, Transfer]:
    """By its id, or the name of its app. Raises NotFound for others' as for none."""
    database, wanted = context.platform(request).database, request.path_params["transfer"]
    for one in await database.run(transfers.of_account, context.user(request)):
        app = await database.run(apps.by_id, one.app_id)
        if app and wanted in (one.id, app.name):
            return app, one
    raise _unknown()


def _unknown() -> NotFound:
    return NotFound("There is no such transfer.", "`paas apps:transfers` lists them.")


def _named_in(body: dict[str, Any], key: str) -> str:
    """Heroku takes a name, and an object that has one."""
    asked = body.get(key)
    if isinstance(asked, dict):
        asked = asked.get("name") or asked.get("email") or asked.get("id")
    if not isinstance(asked, str):
        raise context.invalid(key, "a name")
    return asked


def _serialise(app: App, transfer: Transfer) -> dict[str, Any]:
    return {
        "app": serial.app_reference(app),
        "created_at": serial.moment(transfer.created_at),
        "id": transfer.id,
        "owner": serial.user_reference(transfer.owner),
        "recipient": serial.user_reference(transfer.recipient),
        "state": str(transfer.state),
        "updated_at": serial.moment(transfer.updated_at),
    }


_PLACE = "/account/app-transfers"
ROUTES = [
    Route(_PLACE, create, methods=["POST"]),
    Route(_PLACE, index, methods=["GET"]),
    Route(f"{_PLACE}/{{transfer}}", info, methods=["GET"]),
    Route(f"{_PLACE}/{{transfer}}", update, methods=["PATCH"]),
    Route(f"{_PLACE}/{{transfer}}", delete, methods=["DELETE"]),
]
