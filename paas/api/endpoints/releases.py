"""Releases: list, info, and rollback, which makes a new one."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps.apps import App
from paas.apps.processes import RELEASE_COMMAND
from paas.apps.releases import Release, ReleaseStatus
from paas.errors import UserError
from paas.store import releases as stored


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    found = await database.run(stored.all, app.id)
    current = _current(found)
    items = [_shown(request, app, release, current) for release in found]
    return paging.answer(request, items, key="version")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    release = await database.run(stored.named, app.id, request.path_params["release"])
    current = await database.run(stored.current, app.id)
    return JSONResponse(_shown(request, app, release, current))


async def rollback(request: Request) -> Response:
    body = await context.json_object(request)
    wanted = body.get("release")
    if not isinstance(wanted, str | int) or isinstance(wanted, bool):
        raise UserError(
            "invalid_params",
            "`release` must be the id or the version of a release.",
            'Images come by git push; `{"release": "v3"}` rolls back.',
        )
    app = await context.app_of(request)
    platform = context.platform(request)
    target = await platform.database.run(stored.named, app.id, str(wanted))
    release = await platform.releases.rollback(app, target.version, context.user(request))
    current = await platform.database.run(stored.current, app.id)
    return JSONResponse(serialise(app, release, current), status_code=201)


def _shown(request: Request, app: App, release: Release, current: Release | None) -> dict[str, Any]:
    shown = serialise(app, release, current)
    if request.headers.get("user-agent", "").startswith("heroku-cli/"):
        shown |= in_herokus_words(release)
    return shown


def in_herokus_words(release: Release) -> dict[str, str]:
    """What keeps the heroku command from saying what is not so.

    It reads each failed release as one whose release command failed, and each that is pending as
    one whose release command runs. Of a status that it does not know it says nothing, so the
    description says it.
    """
    if release.status is ReleaseStatus.PENDING and RELEASE_COMMAND not in release.processes:
        return {"description": f"{release.description} (starting)", "status": "starting"}
    reason = release.failure or ""
    if release.status is ReleaseStatus.FAILED and not reason.startswith("the release command"):
        said = f"failed: {reason}" if reason else "failed"
        return {"description": f"{release.description} ({said})", "status": "not started"}
    return {}


def serialise(app: App, release: Release, current: Release | None) -> dict[str, Any]:
    succeeded = release.status is ReleaseStatus.SUCCEEDED
    return {
        "addon_plan_names": [],
        "app": serial.app_reference(app),
        "artifacts": [],
        "created_at": serial.moment(release.created_at),
        "current": current is not None and current.id == release.id,
        "description": release.description,
        "eligible_for_rollback": succeeded and release.image_uuid is not None,
        "failure": release.failure,
        "id": release.id,
        "output_stream_url": None,
        "slug": {"id": release.image_uuid, "commit": release.commit}
        if release.image_uuid
        else None,
        "status": str(release.status),
        "updated_at": serial.moment(release.updated_at),
        "user": serial.user_reference(release.user),
        "version": release.version,
    }


def _current(found: list[Release]) -> Release | None:
    """`found` is newest first."""
    succeeded = (release for release in found if release.status is ReleaseStatus.SUCCEEDED)
    return next(succeeded, None)


ROUTES = [
    Route("/apps/{app}/releases", index, methods=["GET"]),
    Route("/apps/{app}/releases", rollback, methods=["POST"]),
    Route("/apps/{app}/releases/{release}", info, methods=["GET"]),
]
