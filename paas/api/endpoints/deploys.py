"""Deploys of an app that run or wait: what Heroku's API lacks."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps.builds import Deploy


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    found = await context.platform(request).builds.deploys(app)
    return JSONResponse([_serialise(deploy) for deploy in found])


def _serialise(deploy: Deploy) -> dict[str, Any]:
    build = deploy.build
    return {
        "build": {"id": build.id},
        "commit": build.commit or None,
        "created_at": serial.moment(build.created_at),
        "place": deploy.place,
        "state": "waiting" if deploy.waits else "running",
        "step": deploy.step,
        "user": serial.user_reference(build.user),
    }


ROUTES = [Route("/smartplatform/apps/{app}/deploys", index, methods=["GET"])]
