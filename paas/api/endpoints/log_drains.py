"""Heroku's log drains. Passwords in their URLs are not shown again."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps.drains import Drain
from paas.logs import Status
from paas.store import drains


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    found = await platform.drains.all(app)
    return JSONResponse([_serialise(each, platform.drains.status(each)) for each in found])


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    url = context.text(body, "url")
    if not url:
        raise context.invalid("url", "where the log is to be sent")
    app = await context.app_of(request)
    made = await context.platform(request).drains.add(app, url, context.user(request))
    return JSONResponse(_serialise(made, None), status_code=201)


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    name = request.path_params["drain"]
    found = await platform.database.run(drains.named, app.id, name)
    return JSONResponse(_serialise(found, platform.drains.status(found)))


async def delete(request: Request) -> Response:
    app = await context.app_of(request)
    name, user = request.path_params["drain"], context.user(request)
    gone = await context.platform(request).drains.remove(app, name, user)
    return JSONResponse(_serialise(gone, None))


def _serialise(drain: Drain, status: Status | None) -> dict[str, Any]:
    """Heroku's, and how it goes since control was started."""
    return {
        "addon": None,
        "created_at": serial.moment(drain.created_at),
        "delivered": status.delivered if status else 0,
        "dropped": status.dropped if status else 0,
        "failure": (status.failure or None) if status else None,
        "id": drain.id,
        "token": drain.token,
        "updated_at": serial.moment(drain.created_at),
        "url": drain.shown,
        "waiting": status.waiting if status else 0,
    }


ROUTES = [
    Route("/apps/{app}/log-drains", index, methods=["GET"]),
    Route("/apps/{app}/log-drains", create, methods=["POST"]),
    Route("/apps/{app}/log-drains/{drain:path}", info, methods=["GET"]),
    Route("/apps/{app}/log-drains/{drain:path}", delete, methods=["DELETE"]),
]
