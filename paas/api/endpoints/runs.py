"""Commands: one-off runs, in an instance, and connections to an instance's ports.

Who may attach gets a secret: in Heroku's `attach_url` for the rendezvous, and for `/attach/SECRET`
(docs/contracts/attach.md).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context
from paas.api.endpoints import dynos
from paas.apps import runs as rules
from paas.apps.apps import App
from paas.apps.instances import InstanceStatus
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.apps.runs import Wanted
from paas.errors import UserError


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    attached = bool(context.switch(body, "attach"))
    environment = rules.check_environment(body.get("env"))
    size = rules.taken_size(environment)
    wanted = Wanted(
        command=rules.check_command(body.get("command")),
        attached=attached,
        package=package(context.text(body, "size") or DEFAULT_PACKAGE).name,
        time_limit_s=_time_limit_s(body),
        environment=environment,
        size=size if attached and not context.switch(body, "force_no_tty") else None,
    )
    app = await context.app_of(request)
    type = context.text(body, "type") or ""
    user = context.user(request)
    status, secret = await context.platform(request).runs.start(app, wanted, user, type)
    return await _answer(request, app, status, secret)


async def execute(request: Request) -> Response:
    """Heroku's `run:inside`, which sends no `attach`: there is nothing else to do with it."""
    body = await context.json_object(request)
    environment = rules.check_environment(body.get("env"))
    size = rules.taken_size(environment)
    command = context.text(body, "command") or ""
    if command:
        rules.check_command(command)
    app = await context.app_of(request)
    status, secret = await context.platform(request).runs.execute(
        app,
        request.path_params["name"],
        command,
        context.user(request),
        size=None if context.switch(body, "force_no_tty") else size,
        environment=environment,
    )
    return await _answer(request, app, status, secret)


async def forward(request: Request) -> Response:
    port = request.path_params["port"]
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise UserError("invalid_params", f"{port[:20]!r} is not a port: a number up to 65535.")
    app = await context.app_of(request)
    name = request.path_params["name"]
    secret = await context.platform(request).runs.forward(app, name, int(port))
    return JSONResponse({"attach_url": _attach_url(request, secret)}, status_code=201)


async def heroku_exec(request: Request) -> Response:
    """What `heroku ps:exec`, `ps:copy`, `ps:forward` and `ps:socks` ask first."""
    app = await context.app_of(request)
    raise UserError(
        "not_implemented",
        "ps:exec, ps:copy, ps:forward and ps:socks go through servers of Heroku's own.",
        f"Here: paas exec -a {app.name} web.1, paas ps:copy, paas forward; or\n"
        f"heroku run:inside web.1 bash -a {app.name}",
    )


async def _answer(
    request: Request, app: App, status: InstanceStatus, secret: str | None
) -> Response:
    database = context.platform(request).database
    versions = {status.instance.release_version}
    ids = await database.run(dynos.release_ids_of, app.id, versions)
    url = None if secret is None else _attach_url(request, secret)
    return JSONResponse(dynos.serialise(app, status, ids, url), status_code=201)


def _attach_url(request: Request, secret: str) -> str:
    """At the address by which the client has found the API."""
    url = request.base_url
    host = url.hostname or "localhost"
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"rendezvous://{f'[{host}]' if ':' in host else host}:{port}/{secret}"


def _time_limit_s(body: dict[str, Any]) -> int:
    most = rules.TIME_LIMIT_MAX_S
    return context.number(body, "time_to_live", least=1, most=most) or most


ROUTES = [
    Route("/apps/{app}/dynos", create, methods=["POST"]),
    Route("/apps/{app}/dynos/{name}", execute, methods=["POST"]),
    Route("/apps/{app}/features/runtime-heroku-exec", heroku_exec, methods=["GET"]),
    Route("/smartplatform/apps/{app}/dynos/{name}/ports/{port}", forward, methods=["POST"]),
]
