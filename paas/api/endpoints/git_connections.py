"""The repository elsewhere that an app is deployed from, and where its host tells of pushes.

The secret is shown once, when it is made; the token never.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps.apps import App
from paas.apps.git_connections import GitConnection
from paas.apps.git_hooks import BODY_BYTES_MAX
from paas.errors import NotFound, UserError
from paas.routes import hooks
from paas.store import git_connections


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).database.run(git_connections.of_app, app.id)
    if found is None:
        hint = f"Connect it: paas git:connect URL -a {app.name}"
        raise NotFound("The app is connected with no repository.", hint)
    return JSONResponse(_serialise(request, app, found))


async def connect(request: Request) -> Response:
    body = await context.json_object(request)
    url = context.text(body, "url")
    if not url:
        raise context.invalid("url", "the https address of a repository")
    app = await context.app_of(request)
    made = await context.platform(request).git_connections.connect(
        app,
        url,
        context.user(request),
        kind=context.text(body, "kind"),
        branch=context.text(body, "branch"),
        token=context.text(body, "token"),
    )
    return JSONResponse({**_serialise(request, app, made), "secret": made.secret})


async def disconnect(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    gone = await platform.git_connections.disconnect(app, context.user(request))
    return JSONResponse(_serialise(request, app, gone))


async def deploy(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).git_connections.deploy(app)
    return JSONResponse(_serialise(request, app, found), status_code=202)


async def receive(request: Request) -> Response:
    """Of whoever knows the secret. The answer waits for no deploy: hosts give it ten seconds."""
    body = await _body(request)
    headers = {name.lower(): text for name, text in request.headers.items()}
    hook = request.path_params["hook"]
    is_due, said = await context.platform(request).git_connections.receive(hook, headers, body)
    return JSONResponse({"message": said}, status_code=202 if is_due else 200)


async def _body(request: Request) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(context.BODY_TIMEOUT_S):
            async for chunk in request.stream():
                found += chunk
                if len(found) > BODY_BYTES_MAX:
                    message = f"A hook may bring {BODY_BYTES_MAX >> 20} MiB."
                    raise UserError("request_entity_too_large", message)
    except TimeoutError as error:
        message = f"The body did not come within {context.BODY_TIMEOUT_S:g} s."
        raise UserError("request_timeout", message) from error
    return bytes(found)


def _serialise(request: Request, app: App, found: GitConnection) -> dict[str, Any]:
    base = hooks.base_url(context.platform(request).settings)
    return {
        "app": serial.app_reference(app),
        "branch": found.branch,
        "commit": found.commit or None,
        "created_at": serial.moment(found.created_at),
        "has_token": bool(found.token),
        "hook_url": f"{base}{hooks.PLACE}{found.hook}",
        "kind": found.kind,
        "outcome": found.outcome or None,
        "url": found.url,
    }


ROUTES = [
    Route("/apps/{app}/git-connection", info, methods=["GET"]),
    Route("/apps/{app}/git-connection", connect, methods=["PUT"]),
    Route("/apps/{app}/git-connection", disconnect, methods=["DELETE"]),
    Route("/apps/{app}/git-connection/actions/deploy", deploy, methods=["POST"]),
    Route("/hooks/{hook}", receive, methods=["POST"]),
]
