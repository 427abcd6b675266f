"""Routing settings of an app: what Heroku's API lacks, in its style. null unsets."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps import routing as rules
from paas.apps.apps import App
from paas.errors import UserError
from paas.settings import Settings


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    return JSONResponse(serialise(app, context.platform(request).settings))


async def update(request: Request) -> Response:
    changes = await context.json_object(request)
    if not changes:
        raise UserError(
            "invalid_params", "There is no setting to change.", 'Send {"sticky": true}, say.'
        )
    app = await context.app_of(request)
    platform = context.platform(request)
    app = await platform.routing.change(app, changes, context.user(request))
    return JSONResponse(serialise(app, platform.settings))


def serialise(app: App, settings: Settings) -> dict[str, Any]:
    """Every setting, and whether the router speaks TLS at all (`https` counts only then)."""
    return {
        "app": serial.app_reference(app),
        **rules.effective(app.routing),
        "tls": bool(settings.router_tls_port or settings.router_forwarding_proxies),
    }


ROUTES = [
    Route("/apps/{app}/routing", info, methods=["GET"]),
    Route("/apps/{app}/routing", update, methods=["PATCH"]),
]
