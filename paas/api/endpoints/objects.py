"""Which git objects an app's repository lacks: what a deploy of a folder has to send."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context

_ID = re.compile(r"[0-9a-f]{40}")
IDS_MAX = 20_000


async def missing(request: Request) -> Response:
    body = await context.json_object(request)
    ids = body.get("objects")
    if not isinstance(ids, list) or len(ids) > IDS_MAX or not all(map(_is_id, ids)):
        raise context.invalid("objects", f"a list of at most {IDS_MAX:,} ids of git objects")
    app = await context.app_of(request)
    found = await context.platform(request).objects.missing(app, ids)
    return JSONResponse({"missing": found})


def _is_id(item: object) -> bool:
    return isinstance(item, str) and _ID.fullmatch(item) is not None


ROUTES = [
    Route("/smartplatform/apps/{app}/objects/missing", missing, methods=["POST"]),
]
