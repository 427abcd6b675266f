"""The audit trail: all of it for operators, an app's for those who manage it. Our own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.store import audit
from paas.store.audit import LINES_MAX, Entry


async def index(request: Request) -> Response:
    return await _answer(request, None)


async def of_an_app(request: Request) -> Response:
    app = await context.app_of(request)
    return await _answer(request, app.id)


async def _answer(request: Request, app_id: str | None) -> Response:
    """The newest first; `?before=` the id of the last one that was read goes on."""
    asked = dict(request.query_params)
    count = context.number(asked, "count", least=1, most=LINES_MAX) or 100
    before = context.number(asked, "before", least=1, most=2**53)
    database = context.platform(request).database
    found = await database.run(audit.newest, count, before=before, app_id=app_id)
    return JSONResponse([serialise(entry) for entry in found])


def serialise(entry: Entry) -> dict[str, Any]:
    return {
        "action": entry.action,
        "agent": entry.agent,
        "app": {"id": entry.app_id, "name": entry.app} if entry.app else None,
        "at": serial.moment(entry.at),
        "detail": entry.detail,
        "id": entry.id,
        "origin": entry.origin,
        "status": entry.status,
        "token": entry.token_id,
        "user": entry.user,
    }


ROUTES = [
    Route("/smartplatform/audit", index, methods=["GET"]),
    Route("/smartplatform/apps/{app}/audit", of_an_app, methods=["GET"]),
]
