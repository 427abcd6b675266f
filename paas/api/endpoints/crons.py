"""Crons: commands at set times, and what became of their runs. Heroku's API has none."""

from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps import crons as rules
from paas.apps import runs as run_rules
from paas.apps import schedules
from paas.apps.apps import App
from paas.apps.crons import Cron, Given, Result
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.store import crons


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).database.run(_all, app.id)
    return JSONResponse([_serialise(app, cron, last) for cron, last in found])


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    return await _answer(request, app, await _named(request, app))


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    app = await context.app_of(request)
    database = context.platform(request).database
    command = run_rules.check_command(body.get("command"))
    taken = {cron.name for cron in await database.run(crons.for_app, app.id)}
    most = run_rules.TIME_LIMIT_MAX_S
    given = Given(
        name=rules.check_name(context.text(body, "name") or rules.name_of(command, taken)),
        schedule=schedules.check(context.text(body, "schedule") or ""),
        timezone=schedules.check_zone(context.text(body, "timezone") or schedules.DEFAULT_ZONE),
        command=command,
        package=package(context.text(body, "size") or DEFAULT_PACKAGE).name,
        time_limit_s=context.number(body, "time_limit_s", least=1, most=most) or rules.TIME_LIMIT_S,
        overlap=bool(context.switch(body, "overlap")),
        missed=rules.check_missed(context.text(body, "missed") or rules.Missed.SKIP),
    )
    made = await context.platform(request).crons.add(app, given, context.user(request))
    return await _answer(request, app, made, 201)


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    paused = context.switch(body, "paused")
    if paused is None or set(body) != {"paused"}:
        raise context.invalid("paused", "true or false, and all that can be changed")
    app = await context.app_of(request)
    name, user = request.path_params["name"], context.user(request)
    changed = await context.platform(request).crons.pause(app, name, paused, user)
    return await _answer(request, app, changed)


async def delete(request: Request) -> Response:
    app = await context.app_of(request)
    name, user = request.path_params["name"], context.user(request)
    gone = await context.platform(request).crons.remove(app, name, user)
    return JSONResponse(_serialise(app, gone, None))


async def results(request: Request) -> Response:
    app = await context.app_of(request)
    cron = await _named(request, app)
    found = await context.platform(request).database.run(crons.results, cron.id)
    return JSONResponse([_result(each) for each in found])


async def start(request: Request) -> Response:
    app = await context.app_of(request)
    name, user = request.path_params["name"], context.user(request)
    run = await context.platform(request).crons.start(app, name, user)
    body = {"app": serial.app_reference(app), "id": run.machine_uuid, "name": run.name}
    return JSONResponse(body, status_code=201)


def _all(connection: Connection, app_id: str) -> list[tuple[Cron, Result | None]]:
    found = crons.for_app(connection, app_id)
    return [(cron, _last(connection, cron.id)) for cron in found]


def _last(connection: Connection, cron_id: str) -> Result | None:
    return next(iter(crons.results(connection, cron_id, 1)), None)


async def _named(request: Request, app: App) -> Cron:
    database = context.platform(request).database
    return await database.run(crons.named, app.id, request.path_params["name"])


async def _answer(request: Request, app: App, cron: Cron, status: int = 200) -> Response:
    last = await context.platform(request).database.run(_last, cron.id)
    return JSONResponse(_serialise(app, cron, last), status_code=status)


def _serialise(app: App, cron: Cron, last: Result | None) -> dict[str, Any]:
    return {
        "app": serial.app_reference(app),
        "command": cron.command,
        "created_at": serial.moment(cron.created_at),
        "declared": cron.declared,
        "id": cron.id,
        "last_result": _result(last) if last else None,
        "missed": str(cron.missed),
        "name": cron.name,
        "next_at": serial.moment(cron.next_at) if cron.next_at else None,
        "overlap": cron.overlap,
        "paused": cron.paused,
        "schedule": cron.schedule,
        "size": cron.package,
        "time_limit_s": cron.time_limit_s,
        "timezone": cron.timezone,
    }


def _result(result: Result) -> dict[str, Any]:
    """`count` due times from `due_at` on were missed; of a run it is 1."""
    return {
        "count": result.count,
        "due_at": serial.moment(result.due_at),
        "ended_at": serial.moment(result.ended_at) if result.ended_at else None,
        "exit_status": result.exit_status,
        "id": result.id,
        "name": result.process or None,
        "outcome": str(result.outcome),
        "reason": result.said or None,
        "started_at": serial.moment(result.started_at) if result.started_at else None,
    }


_CRONS = "/smartplatform/apps/{app}/crons"
ROUTES = [
    Route(_CRONS, index, methods=["GET"]),
    Route(_CRONS, create, methods=["POST"]),
    Route(f"{_CRONS}/{{name}}", info, methods=["GET"]),
    Route(f"{_CRONS}/{{name}}", update, methods=["PATCH"]),
    Route(f"{_CRONS}/{{name}}", delete, methods=["DELETE"]),
    Route(f"{_CRONS}/{{name}}/results", results, methods=["GET"]),
    Route(f"{_CRONS}/{{name}}/runs", start, methods=["POST"]),
]
