"""The formation: list, info, update of one process type or of several."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import formation as rules
from paas.apps.apps import App
from paas.apps.formation import FormationChange, FormationEntry
from paas.apps.releases import Release
from paas.errors import NotFound, UserError
from paas.store import formation as stored
from paas.store import releases

UPDATES_MAX = 100


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    return paging.answer(request, await _all(request, app), key="type")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    return JSONResponse(_one(await _all(request, app), request.path_params["type"]))


async def update_many(request: Request) -> Response:
    body = await context.json_object(request)
    updates = body.get("updates")
    if not isinstance(updates, list) or not 0 < len(updates) <= UPDATES_MAX:
        raise context.invalid("updates", f"a list of 1 to {UPDATES_MAX} changes")
    app = await context.app_of(request)
    await _scale(request, app, [parse(update) for update in updates])
    return JSONResponse(await _all(request, app))


async def update_one(request: Request) -> Response:
    body = await context.json_object(request)
    app = await context.app_of(request)
    await _scale(request, app, [parse({**body, "type": request.path_params["type"]})])
    return JSONResponse(_one(await _all(request, app), request.path_params["type"]))


def parse(update: Any) -> FormationChange:
    """`{"type": "web", "quantity": 2 | "+1", "size": "standard-512m"}`. Raises UserError."""
    if not isinstance(update, dict):
        raise context.invalid("updates", "a list of objects")
    type, quantity = update.get("type", update.get("process")), update.get("quantity")
    size = update.get("size") or update.get("dyno_size")
    size = size.get("name") if isinstance(size, dict) else size
    if not isinstance(type, str):
        raise context.invalid("type", "a process type")
    if size is not None and not isinstance(size, str):
        raise context.invalid("size", "the name of a package")
    if quantity is None and size is None:
        raise UserError("invalid_params", f"{type}: there is neither a quantity nor a size.")
    return rules.change(type, quantity, size)


async def _scale(request: Request, app: App, changes: list[FormationChange]) -> None:
    platform = context.platform(request)
    await platform.formation.scale(app, changes, context.user(request))


async def _all(request: Request, app: App) -> list[dict[str, Any]]:
    database = context.platform(request).database
    entries = await database.run(stored.get, app.id)
    release = await database.run(releases.current, app.id)
    return [serialise(app, entry, release) for entry in entries]


def _one(entries: list[dict[str, Any]], type: str) -> Mapping[str, Any]:
    for entry in entries:
        if type in (entry["type"], entry["id"]):
            return entry
    raise NotFound(f"There is no process type {type!r}.")


def serialise(app: App, entry: FormationEntry, release: Release | None) -> dict[str, Any]:
    changed_at = serial.moment(release.created_at if release else app.created_at)
    return {
        "app": serial.app_reference(app),
        "command": release.processes.get(entry.type, "") if release else "",
        "created_at": serial.moment(app.created_at),
        "dyno_size": {"id": serial.derived_id("size", entry.package), "name": entry.package},
        "id": serial.derived_id("formation", app.id, entry.type),
        "quantity": entry.quantity,
        "size": entry.package,
        "type": entry.type,
        "updated_at": changed_at,
    }


ROUTES = [
    Route("/apps/{app}/formation", index, methods=["GET"]),
    Route("/apps/{app}/formation", update_many, methods=["PATCH"]),
    Route("/apps/{app}/formation/{type}", info, methods=["GET"]),
    Route("/apps/{app}/formation/{type}", update_one, methods=["PATCH"]),
]
