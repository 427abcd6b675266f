"""Builds: start one, list, info, result, and what they print."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.api.endpoints.sources import uploaded
from paas.api.stream import Lines
from paas.apps import sources
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.deploys.archive import Archive
from paas.errors import NotFound
from paas.store import builds as stored
from paas.system import outgoing

STREAM = "/streams/build"
URL_CHARACTERS_MAX = 8000


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    source = _source(body)
    from_nothing = body.get("no_cache", False)
    if not isinstance(from_nothing, bool):
        raise context.invalid("no_cache", "true or false")
    app = await context.app_of(request)
    platform = context.platform(request)
    user = context.user(request)
    if source.get("url"):
        archive = _archive(request, source)
        build = await platform.builds.start_archive(app, archive, user, from_nothing=from_nothing)
    else:
        commit = parse(source)
        build = await platform.builds.start(app, commit, user, from_nothing=from_nothing)
    return JSONResponse(serialise(request, app, build), status_code=201)


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).database.run(stored.all, app.id)
    items = [serialise(request, app, build) for build in found]
    return paging.answer(request, items, key="created_at", descending=True)


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    return JSONResponse(serialise(request, app, await _build(request, app)))


async def cancel(request: Request) -> Response:
    """As Heroku's plugin `heroku-builds` asks for it (its `version=3.cancel-build`)."""
    app = await context.app_of(request)
    build = await _build(request, app)
    platform = context.platform(request)
    ended = await platform.builds.cancel(app, build, context.user(request))
    return JSONResponse(serialise(request, app, ended))


async def result(request: Request) -> Response:
    """Heroku's deprecated form of the output: all lines at once."""
    app = await context.app_of(request)
    build = await _build(request, app)
    output = context.platform(request).builds.output(build)
    lines = [{"line": f"{line}\n", "stream": "STDOUT"} async for line in output]
    build = await _build(request, app)
    return JSONResponse(
        {
            "build": {"id": build.id, "status": str(build.status), "output_stream_url": None},
            "exit_code": _EXIT_CODE[build.status],
            "lines": lines,
        }
    )


async def output(request: Request) -> Response:
    """The stream behind `output_stream_url`."""
    parameters = request.app.state.signer.check(request.url.path, request.url.query)
    platform = context.platform(request)
    build = await platform.database.run(stored.by_id, parameters["build"])
    return Lines(request, platform.builds.output(build))


def _source(body: dict[str, Any]) -> dict[str, Any]:
    source = body.get("source_blob") or {}
    if not isinstance(source, dict):
        raise context.invalid("source_blob", "an object")
    return source


def _archive(request: Request, source: dict[str, Any]) -> Archive:
    """What `source_blob.url` names: an upload here, or an address elsewhere. Raises UserError."""
    url = context.text(source, "url") or ""
    if len(url) > URL_CHARACTERS_MAX:
        raise context.invalid("source_blob.url", f"of at most {URL_CHARACTERS_MAX:,} letters")
    id = uploaded(request, url)
    if id is None:
        sources.check_url(url, context.platform(request).settings.fetch_from_private_addresses)
    version = sources.version(context.text(source, "version"))
    checksum = sources.checksum(context.text(source, "checksum"))
    place = url if id is None else context.platform(request).sources.path(id)
    return Archive(sources.Source(outgoing.shown(url), version, checksum), place)


def parse(source: dict[str, Any]) -> str | None:
    """The commit to build, or None for the one that was pushed last. Raises UserError."""
    commit = context.text(source, "version")
    if commit and not re.fullmatch(r"[0-9a-f]{4,64}", commit):
        raise context.invalid("source_blob.version", "a commit of the app's repository")
    return commit or None


async def _build(request: Request, app: App) -> Build:
    id = request.path_params["build"]
    build = await context.platform(request).database.run(stored.by_id, id)
    if build.app_id != app.id:
        raise NotFound("The build does not exist.")
    return build


def serialise(request: Request, app: App, build: Build) -> dict[str, Any]:
    signed = request.app.state.signer.sign(STREAM, {"build": build.id})
    return {
        "app": serial.app_reference(app),
        "buildpacks": [],
        "created_at": serial.moment(build.created_at),
        "failure": build.failure,
        "id": build.id,
        "output_stream_url": str(request.base_url).rstrip("/") + signed,
        "release": {"id": build.release_id} if build.release_id else None,
        "slug": {"id": build.image_uuid} if build.image_uuid else None,
        "source_blob": {
            "checksum": f"SHA256:{build.source_checksum}" if build.source_checksum else None,
            "url": build.source_url,
            "version": build.source_version or build.commit or None,
        },
        "stack": app.stack,
        "status": str(build.status),
        "updated_at": serial.moment(build.updated_at),
        "user": serial.user_reference(build.user),
    }


_EXIT_CODE = {BuildStatus.PENDING: None, BuildStatus.SUCCEEDED: 0, BuildStatus.FAILED: 1}

ROUTES = [
    Route("/apps/{app}/builds", create, methods=["POST"]),
    Route("/apps/{app}/builds", index, methods=["GET"]),
    Route("/apps/{app}/builds/{build}", info, methods=["GET"]),
    Route("/apps/{app}/builds/{build}", cancel, methods=["DELETE"]),
    Route("/apps/{app}/builds/{build}/result", result, methods=["GET"]),
    Route(STREAM, output, methods=["GET"]),
]
