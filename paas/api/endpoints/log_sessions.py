"""Log sessions: a URL under which lines of an app's log can be read for a while."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.api.stream import Lines
from paas.apps import instances as rules
from paas.store import apps
from paas.store.sql.row import new_id, now

STREAM = "/streams/logs"
LINES_DEFAULT = 100
LINES_MAX = 10_000


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    lines = context.number(body, "lines", most=LINES_MAX)
    wanted = {
        "lines": str(LINES_DEFAULT if lines is None else lines),
        "source": context.text(body, "source") or "",
        "dyno": context.text(body, "dyno") or context.text(body, "type") or "",
        "tail": "1" if context.switch(body, "tail") else "",
    }
    if wanted["dyno"]:
        rules.parse_name(wanted["dyno"])
    app = await context.app_of(request)
    signed = request.app.state.signer.sign(STREAM, {"app": app.id, **wanted})
    moment = serial.moment(now())
    return JSONResponse(
        {
            "created_at": moment,
            "id": new_id(),
            "logplex_url": str(request.base_url).rstrip("/") + signed,
            "updated_at": moment,
        },
        status_code=201,
    )


async def stream(request: Request) -> Response:
    wanted = request.app.state.signer.check(request.url.path, request.url.query)
    platform = context.platform(request)
    app = await platform.database.run(apps.named, wanted["app"])
    lines = platform.logs.read(
        app,
        lines=int(wanted["lines"]),
        source=wanted["source"] or None,
        dyno=wanted["dyno"] or None,
        tail=bool(wanted["tail"]),
    )
    return Lines(request, lines, ends=not wanted["tail"])


ROUTES = [
    Route("/apps/{app}/log-sessions", create, methods=["POST"]),
    Route(STREAM, stream, methods=["GET"]),
]
