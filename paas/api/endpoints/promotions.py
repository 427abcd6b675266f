"""Promotions of an app's image to others of its pipeline, and what became of each."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import promotions as rules
from paas.apps.access import Permission
from paas.apps.promotions import Promotion, Target
from paas.store import promotions as stored


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    source, targets = body.get("source"), body.get("targets")
    if not isinstance(source, dict):
        raise context.invalid("source", 'an app: {"app": {"id": …}}')
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets):
        raise context.invalid("targets", 'a list of apps: [{"app": {"id": …}}]')
    platform = context.platform(request)
    # What runs in the source is brought to run in the targets: as good as a fetch and a push.
    app = await context.app_named(request, context.reference(source, "app"), Permission.DEPLOY)
    names = [context.reference(each, "app") for each in targets[: rules.TARGETS_MAX + 1]]
    to = [await context.app_named(request, name, Permission.DEPLOY) for name in names]
    made = await platform.pipelines.promote(app, to, context.user(request))
    context.note(request, f"{app.name} to {', '.join(target.name for target in to)}", app)
    found = await platform.database.run(stored.targets_of, made.id)
    return JSONResponse(_serialise(made, found), status_code=201)


async def info(request: Request) -> Response:
    promotion, targets = await _found(request)
    return JSONResponse(_serialise(promotion, targets))


async def targets(request: Request) -> Response:
    _, every = await _found(request)
    visible = await context.visible(request)
    found = [target for target in every if target.app_id in visible]
    return paging.answer(request, [_target(target) for target in found])


async def _found(request: Request) -> tuple[Promotion, list[Target]]:
    database = context.platform(request).database
    promotion = await database.run(stored.by_id, request.path_params["promotion"])
    await context.app_named(request, promotion.app_id)  # one that may be asked about
    return promotion, await database.run(stored.targets_of, promotion.id)


def _serialise(promotion: Promotion, targets: list[Target]) -> dict[str, Any]:
    moment = serial.moment(promotion.created_at)
    return {
        "created_at": moment,
        "id": promotion.id,
        "pipeline": {"id": promotion.pipeline_id},
        "source": {"app": {"id": promotion.app_id}, "release": {"id": promotion.release_id}},
        "status": rules.status(targets),
        "updated_at": moment,
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "app": {"id": target.app_id},
        "error_message": target.error,
        "id": target.id,
        "pipeline_promotion": {"id": target.promotion_id},
        "release": {"id": target.release_id} if target.release_id else None,
        "status": str(target.status),
    }


ROUTES = [
    Route("/pipeline-promotions", create, methods=["POST"]),
    Route("/pipeline-promotions/{promotion}", info, methods=["GET"]),
    Route("/pipeline-promotions/{promotion}/promotion-targets", targets, methods=["GET"]),
]
