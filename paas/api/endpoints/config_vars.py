"""Config vars: read, and change (which makes a release)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context
from paas.apps import config_vars as rules
from paas.errors import UserError
from paas.store import releases


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    release = await context.platform(request).database.run(releases.current, app.id)
    return JSONResponse(dict(release.config) if release else {})


async def of_release(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    release = await database.run(releases.named, app.id, request.path_params["release"])
    return JSONResponse(dict(release.config))


async def update(request: Request) -> Response:
    changes = await context.json_object(request)
    if not changes:
        raise UserError("invalid_params", "There is no config var to set or to unset.")
    for name, value in changes.items():
        if value is not None:
            rules.check(name, value)
    context.note(request, ", ".join(sorted(changes)))
    app = await context.app_of(request)
    platform = context.platform(request)
    release = await platform.releases.change_config(app, changes, context.user(request))
    return JSONResponse(dict(release.config))


ROUTES = [
    Route("/apps/{app}/config-vars", info, methods=["GET"]),
    Route("/apps/{app}/config-vars", update, methods=["PATCH"]),
    Route("/apps/{app}/releases/{release}/config-vars", of_release, methods=["GET"]),
]
