"""The buildpacks of an app, in Heroku's shape. Addresses may hold a token: who reads them may read
config vars too."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context
from paas.apps.apps import App
from paas.errors import UserError


async def index(request: Request) -> Response:
    return JSONResponse(serialise(await context.app_of(request)))


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    names = _names(body.get("updates"))
    app = await context.app_of(request)
    platform = context.platform(request)
    changed = await platform.buildpacks.set(app, names, context.user(request))
    return JSONResponse(serialise(changed))


def serialise(app: App) -> list[dict[str, Any]]:
    return [
        {"buildpack": {"name": name, "url": name}, "ordinal": ordinal}
        for ordinal, name in enumerate(app.buildpacks)
    ]


def _names(updates: object) -> list[str]:
    if not isinstance(updates, list):
        raise context.invalid("updates", 'a list such as [{"buildpack": "https://…"}]')
    names = [each.get("buildpack") if isinstance(each, dict) else None for each in updates]
    if not all(isinstance(name, str) for name in names):
        raise UserError("invalid_params", "Each of `updates` must have a `buildpack`, a string.")
    return [str(name) for name in names]


ROUTES = [
    Route("/apps/{app}/buildpack-installations", index, methods=["GET"]),
    Route("/apps/{app}/buildpack-installations", update, methods=["PUT"]),
]
