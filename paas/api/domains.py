"""Domains: the app's own name under the base domain, and those that were added."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps.app import App
from paas.apps.domain import Domain
from paas.errors import NotFound
from paas.settings import Settings
from paas.store import domains as stored


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    hostname = context.text(body, "hostname")
    if not hostname:
        raise context.invalid("hostname", "a host name")
    app = await context.app_of(request)
    platform = context.platform(request)
    domain = await platform.operations.add_domain(app, hostname)
    return JSONResponse(serialise(app, domain, platform.settings), status_code=201)


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    return paging.answer(request, await _all(request, app), key="hostname")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    wanted = request.path_params["hostname"]
    for domain in await _all(request, app):
        if wanted.lower() in (domain["hostname"], domain["id"]):
            return JSONResponse(domain)
    raise NotFound(f"The app has no domain {wanted!r}.")


async def delete(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    domain = await platform.operations.remove_domain(app, request.path_params["hostname"])
    return JSONResponse(serialise(app, domain, platform.settings))


async def _all(request: Request, app: App) -> list[dict[str, Any]]:
    platform = context.platform(request)
    added = await platform.database.run(stored.for_app, app.id)
    others = [serialise(app, domain, platform.settings) for domain in added]
    return [_own(app, platform.settings), *others]


def serialise(app: App, domain: Domain, settings: Settings) -> dict[str, Any]:
    return {
        "acm_status": None,
        "acm_status_reason": None,
        "app": serial.app_reference(app),
        "cname": serial.hostname(app, settings),
        "created_at": serial.moment(domain.created_at),
        "hostname": domain.hostname,
        "id": domain.id,
        "kind": "custom",
        "sni_endpoint": None,
        "status": "none",
        "updated_at": serial.moment(domain.created_at),
    }


def _own(app: App, settings: Settings) -> dict[str, Any]:
    hostname = serial.hostname(app, settings)
    own = Domain(serial.derived_id("domain", app.id), app.id, hostname, app.created_at)
    return {**serialise(app, own, settings), "cname": None, "kind": "heroku"}


ROUTES = [
    Route("/apps/{app}/domains", create, methods=["POST"]),
    Route("/apps/{app}/domains", index, methods=["GET"]),
    Route("/apps/{app}/domains/{hostname}", info, methods=["GET"]),
    Route("/apps/{app}/domains/{hostname}", delete, methods=["DELETE"]),
]
