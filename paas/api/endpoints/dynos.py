"""Instances, which Heroku calls dynos, and one-off runs: list, info, restart, stop."""

from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import instances as rules
from paas.apps.apps import App
from paas.apps.instances import InstanceStatus
from paas.apps.runs import TYPE
from paas.errors import NotFound
from paas.store import releases


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    return paging.answer(request, await _all(request, app), key="name")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    wanted = request.path_params["name"]
    for dyno in await _all(request, app):
        if wanted in (dyno["name"], dyno["id"]):
            return JSONResponse(dyno)
    raise NotFound(f"There is no instance {wanted!r}.", "`paas ps` lists them.")


async def restart_all(request: Request) -> Response:
    app = await context.app_of(request)
    await context.platform(request).dynos.restart(app)
    return _accepted()


async def restart_one(request: Request) -> Response:
    app = await context.app_of(request)
    if not await _is_run_stopped(request, app):
        await context.platform(request).dynos.restart(app, **await _named(request, app))
    return _accepted()


async def restart_type(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    await platform.dynos.restart(app, type=request.path_params["type"])
    return _accepted()


async def stop_one(request: Request) -> Response:
    app = await context.app_of(request)
    if not await _is_run_stopped(request, app):
        await context.platform(request).dynos.stop(app, **await _named(request, app))
    return _accepted()


async def stop_type(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    if request.path_params["type"] == TYPE:
        await platform.runs.stop(app, TYPE)
    else:
        await platform.dynos.stop(app, type=request.path_params["type"])
    return _accepted()


async def _is_run_stopped(request: Request, app: App) -> bool:
    """If the path names a run, stop it: it is never started again."""
    wanted = request.path_params["name"]
    runs = context.platform(request).runs
    found = [status.instance for status in await runs.all(app)]
    named = {name for each in found for name in (each.machine_uuid, each.name)}
    if wanted not in named and wanted.partition(".")[0] != TYPE:
        return False
    await runs.stop(app, wanted)
    return True


async def _named(request: Request, app: App) -> dict[str, str]:
    """What the path names: an instance by name or id, or a process type."""
    wanted = request.path_params["name"]
    for status in await context.platform(request).dynos.all(app):
        if status.instance.machine_uuid == wanted:
            return {"name": status.instance.name}
    _, number = rules.parse_name(wanted)
    return {"type": wanted} if number is None else {"name": wanted}


async def _all(request: Request, app: App) -> list[dict[str, Any]]:
    platform = context.platform(request)
    statuses = [*await platform.dynos.all(app), *await platform.runs.all(app)]
    versions = {status.instance.release_version for status in statuses}
    ids = await platform.database.run(release_ids_of, app.id, versions)
    return [serialise(app, status, ids) for status in statuses]


def release_ids_of(connection: Connection, app_id: str, versions: set[int]) -> dict[int, str]:
    found = (releases.by_version(connection, app_id, version) for version in versions)
    return {release.version: release.id for release in found if release}


def serialise(
    app: App,
    status: InstanceStatus,
    release_ids: dict[int, str],
    attach_url: str | None = None,
) -> dict[str, Any]:
    """Heroku's dyno, and how its process ended last, which limits it hit, how its checks go."""
    instance = status.instance
    version = instance.release_version
    machine = status.machine or {}
    return {
        "app": serial.app_reference(app),
        "attach_url": attach_url,
        "command": status.command,
        "created_at": serial.moment(instance.created_at),
        "exit_reason": machine.get("exit_reason"),
        "exit_status": machine.get("exit_status"),
        "exited_at": machine.get("exit_timestamp"),
        "fails_checks": status.fails_checks,
        "id": instance.machine_uuid,
        "lwps_hit_at": machine.get("lwps_hit_timestamp"),
        "lwps_hits": machine.get("lwps_hits", 0),
        "name": instance.name,
        "oom_killed_at": machine.get("oom_kill_timestamp"),
        "oom_kills": machine.get("oom_kills", 0),
        "release": {"id": release_ids.get(version), "version": version},
        "restarts": machine.get("init_restarts", 0),
        "runtime": status.runtime or None,
        "size": status.size,
        "state": str(status.state),
        "type": instance.type,
        "updated_at": serial.moment(status.since),
    }


def _accepted() -> Response:
    return JSONResponse({}, status_code=202)


ROUTES = [
    Route("/apps/{app}/dynos", index, methods=["GET"]),
    Route("/apps/{app}/dynos", restart_all, methods=["DELETE"]),
    Route("/apps/{app}/dynos/{name}", info, methods=["GET"]),
    Route("/apps/{app}/dynos/{name}", restart_one, methods=["DELETE"]),
    Route("/apps/{app}/dynos/{name}/actions/stop", stop_one, methods=["POST"]),
    Route("/apps/{app}/formations/{type}", restart_type, methods=["DELETE"]),
    Route("/apps/{app}/formations/{type}/actions/stop", stop_type, methods=["POST"]),
]
