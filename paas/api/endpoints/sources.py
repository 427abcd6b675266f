"""Sources: where to upload an archive that is to be built, as Heroku's `POST /sources` says it.

Both addresses are signed and hold for an hour; who has one needs no token. The one to read from is
what `source_blob.url` of a build names.
"""

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from paas.api import context
from paas.errors import UserError
from paas.operations.sources import KEPT_S

_PLACE = re.compile(r"/sources/([0-9a-f-]{36})")


async def create(request: Request) -> Response:
    await context.json_object(request)
    id = context.platform(request).sources.reserve()
    base = str(request.base_url).rstrip("/")
    get, put = (base + _signed(request, id, method) for method in ("GET", "PUT"))
    return JSONResponse({"source_blob": {"get_url": get, "put_url": put}}, status_code=201)


async def create_for_app(request: Request) -> Response:
    """As Heroku had it first; its older clients ask so."""
    await context.app_of(request)
    return await create(request)


async def upload(request: Request) -> Response:
    id = _checked(request, request.url.path, request.url.query, "PUT")
    await context.platform(request).sources.keep(id, request.stream())
    return Response()


async def download(request: Request) -> Response:
    id = _checked(request, request.url.path, request.url.query, "GET")
    path = context.platform(request).sources.path(id)
    return FileResponse(path, media_type="application/octet-stream")


def uploaded(request: Request, url: str) -> str | None:
    """The id of an upload here, None for an address elsewhere. Raises UserError for one that has
    expired."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not _PLACE.fullmatch(parts.path) or "signature=" not in parts.query:
        return None
    return _checked(request, parts.path, parts.query, "GET")


def _signed(request: Request, id: str, method: str) -> str:
    signed: str = request.app.state.signer.sign(
        f"/sources/{id}", {"method": method}, lifetime_s=KEPT_S
    )
    return signed


def _checked(request: Request, path: str, query: str, method: str) -> str:
    found = request.app.state.signer.check(path, query)
    match = _PLACE.fullmatch(path)
    if found.get("method") != method or match is None:
        raise UserError("forbidden", f"This URL is not for {method}.", "POST /sources gives both.")
    return match[1]


ROUTES = [
    Route("/sources", create, methods=["POST"]),
    Route("/apps/{app}/sources", create_for_app, methods=["POST"]),
    Route("/sources/{source}", upload, methods=["PUT"]),
    Route("/sources/{source}", download, methods=["GET"]),
]
