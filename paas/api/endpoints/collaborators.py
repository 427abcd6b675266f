"""Who may work on an app: its owner, and collaborators by Heroku's endpoints.

Permissions are Heroku's of teams' apps (paas.apps.access); its `/teams/apps/…/collaborators` takes
them, and here those of any app.
"""

from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import access
from paas.apps.access import Collaborator, Permission
from paas.apps.account import check_email
from paas.apps.apps import App
from paas.store import collaborators


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).database.run(collaborators.of_app, app.id)
    return paging.answer(request, [_owner(app), *(serialise(app, one) for one in found)])


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    if request.path_params["collaborator"].lower() == app.owner:
        return JSONResponse(_owner(app))
    return JSONResponse(serialise(app, await _named(request, app)))


async def create(request: Request) -> Response:
    """An address without an account counts from the day it has one: who has one is not told."""
    body = await context.json_object(request)
    asked = body.get("user")
    asked = asked.get("email") if isinstance(asked, dict) else asked
    if not isinstance(asked, str):
        raise context.invalid("user", "an e-mail address")
    email, permissions = check_email(asked), access.check(body.get("permissions"))
    app = await context.app_of(request)
    database = context.platform(request).database
    made = await database.run(collaborators.add, app, email, permissions)
    _note(request, made)
    return JSONResponse(serialise(app, made), status_code=201)


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    if body.get("permissions") is None:
        raise context.invalid("permissions", "a list")
    permissions = access.check(body["permissions"])
    app = await context.app_of(request)
    found = await _named(request, app)

    def change(connection: Connection) -> Collaborator:
        collaborators.change(connection, found.id, permissions)
        return collaborators.named(connection, app, found.email)

    changed = await context.platform(request).database.run(change)
    _note(request, changed)
    return JSONResponse(serialise(app, changed))


def _note(request: Request, found: Collaborator) -> None:
    context.note(request, f"{found.email}: {', '.join(access.ordered(found.permissions))}")


async def delete(request: Request) -> Response:
    """Everybody may leave; who removes others manages the app."""
    app = await context.app_of(request)
    if request.path_params["collaborator"].lower() != context.user(request):
        context.demand(request, Permission.MANAGE)
    found = await _named(request, app)
    await context.platform(request).database.run(collaborators.remove, found.id)
    return JSONResponse(serialise(app, found))


async def _named(request: Request, app: App) -> Collaborator:
    wanted = request.path_params["collaborator"]
    return await context.platform(request).database.run(collaborators.named, app, wanted)


def serialise(app: App, found: Collaborator) -> dict[str, Any]:
    return {
        "app": serial.app_reference(app),
        "created_at": serial.moment(found.created_at),
        "id": found.id,
        "permissions": [_permission(each) for each in access.ordered(found.permissions)],
        "role": "collaborator",
        "updated_at": serial.moment(found.updated_at),
        "user": {**serial.user_reference(found.email), "federated": False},
    }


def _owner(app: App) -> dict[str, Any]:
    moment = serial.moment(app.created_at)
    return {
        "app": serial.app_reference(app),
        "created_at": moment,
        "id": serial.derived_id("collaborator", app.id, app.owner),
        "permissions": [_permission(each) for each in Permission],
        "role": "owner",
        "updated_at": moment,
        "user": {**serial.user_reference(app.owner), "federated": False},
    }


def _permission(each: Permission) -> dict[str, str]:
    return {"description": _DESCRIPTIONS[each], "name": str(each)}


_DESCRIPTIONS = {
    Permission.VIEW: "sees the app, its instances, domains and logs",
    Permission.DEPLOY: "pushes, releases, config vars, runs",
    Permission.OPERATE: "scale, restart, domains, maintenance, config vars, runs",
    Permission.MANAGE: "renames and destroys the app, gives access to it",
}

ROUTES = [
    Route(f"{place}/apps/{{app}}/collaborators{more}", handler, methods=[method])
    for place in ("", "/teams")
    for more, handler, method in (
        ("", index, "GET"),
        ("", create, "POST"),
        ("/{collaborator}", info, "GET"),
        ("/{collaborator}", update, "PATCH"),
        ("/{collaborator}", delete, "DELETE"),
    )
]
