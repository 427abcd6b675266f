"""What Heroku's API lacks: whether the platform is there, its metrics, the timeline of a build."""

from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.store import steps
from paas.store.steps import Step


async def status(request: Request) -> Response:
    """Open to everybody: says that this is a platform, and nothing of what it holds."""
    return JSONResponse({"name": "smartplatform", "version": metadata.version("smartplatform")})


async def metrics(request: Request) -> Response:
    """For Prometheus, which brings a token; 0.0.4 is its text format's version."""
    text = await context.platform(request).routing.metrics()
    return Response(text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def timeline(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    found = await database.run(steps.for_subject, request.path_params["subject"])
    return JSONResponse([_serialise(step) for step in found if step.app_id == app.id])


def _serialise(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "started_at": serial.moment(step.started_at),
        "finished_at": serial.moment(step.finished_at) if step.finished_at else None,
        "duration_ms": step.duration_ms,
    }


ROUTES = [
    Route("/smartplatform/status", status, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
    Route("/smartplatform/apps/{app}/timelines/{subject}", timeline, methods=["GET"]),
]
