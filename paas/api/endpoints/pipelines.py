"""Pipelines, the apps in them, and what a promotion would bring."""

from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import pipelines as rules
from paas.apps.access import Permission
from paas.apps.account import Account
from paas.apps.pipelines import Coupling, Pipeline
from paas.errors import NotFound, UserError
from paas.operations.pipelines import Difference
from paas.store import pipelines as stored


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    _check_owner(body, context.caller(request).account)
    name = context.text(body, "name") or ""
    made = await context.platform(request).pipelines.create(name, context.user(request))
    return JSONResponse(serialise(made), status_code=201)


async def index(request: Request) -> Response:
    account = context.caller(request).account
    found = await context.platform(request).database.run(stored.visible, account)
    wanted = request.query_params.get("eq[name]")  # as Heroku's client filters
    items = [serialise(pipeline) for pipeline in found if wanted in (None, pipeline.name)]
    return paging.answer(request, items, key="name")


async def info(request: Request) -> Response:
    return JSONResponse(serialise(await _pipeline(request)))


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    pipeline = await _own_pipeline(request)
    name = context.text(body, "name")
    if name is not None and name != pipeline.name:
        pipeline = await context.platform(request).pipelines.rename(pipeline, name)
    return JSONResponse(serialise(pipeline))


async def delete(request: Request) -> Response:
    pipeline = await _own_pipeline(request)
    await context.platform(request).pipelines.destroy(pipeline)
    return JSONResponse(serialise(pipeline))


async def couple(request: Request) -> Response:
    body = await context.json_object(request)
    stage = rules.check_stage(context.text(body, "stage") or "")
    platform = context.platform(request)
    app = await context.app_named(request, context.reference(body, "app"), Permission.OPERATE)
    account, name = context.caller(request).account, context.reference(body, "pipeline")
    pipeline = await platform.database.run(stored.seen, account, name)
    made = await platform.pipelines.couple(pipeline, app, stage)
    context.note(request, f"{app.name} in {pipeline.name} as {stage}", app)
    return JSONResponse(_coupling(pipeline, made), status_code=201)


async def couplings(request: Request) -> Response:
    return await _listed(request, None)


async def couplings_of(request: Request) -> Response:
    return await _listed(request, (await _pipeline(request)).id)


async def coupling(request: Request) -> Response:
    return JSONResponse(_coupling(*await _coupled(request)))


async def coupling_of_app(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    found = await database.run(stored.of_app, app.id)
    if found is None:
        raise NotFound(f"{app.name} is in no pipeline.", "To put it into one: paas pipelines:add")
    return JSONResponse(_coupling(await database.run(stored.by_id, found.pipeline_id), found))


async def set_stage(request: Request) -> Response:
    stage = rules.check_stage(context.text(await context.json_object(request), "stage") or "")
    pipeline, found = await _coupled(request, Permission.OPERATE)
    changed = await context.platform(request).pipelines.set_stage(found, stage)
    return JSONResponse(_coupling(pipeline, changed))


async def uncouple(request: Request) -> Response:
    pipeline, found = await _coupled(request, Permission.OPERATE)
    await context.platform(request).pipelines.uncouple(found)
    return JSONResponse(_coupling(pipeline, found))


async def differences(request: Request) -> Response:
    """What Heroku's client asks GitHub for; here the app's own repository knows."""
    app = await context.app_of(request)
    found = await context.platform(request).pipelines.differences(app)
    visible = await context.visible(request)
    return JSONResponse([_difference(each) for each in found if each.app.id in visible])


async def _pipeline(request: Request) -> Pipeline:
    """The one in the path, which the account sees. Raises NotFound."""
    account, name = context.caller(request).account, request.path_params["pipeline"]
    return await context.platform(request).database.run(stored.seen, account, name)


async def _own_pipeline(request: Request) -> Pipeline:
    """Raises UserError(forbidden) where it is somebody else's."""
    pipeline, account = await _pipeline(request), context.caller(request).account
    if pipeline.owner != account.email and not account.operator:
        raise UserError("forbidden", f"The pipeline {pipeline.name} is {pipeline.owner}'s.")
    return pipeline


async def _listed(request: Request, pipeline_id: str | None) -> Response:
    """Of the apps that the account sees, all or those of a pipeline."""
    found = await context.platform(request).database.run(_all_couplings, pipeline_id)
    visible = await context.visible(request)
    items = [_coupling(*each) for each in found if each[1].app_id in visible]
    return paging.answer(request, items)


async def _coupled(request: Request, *needed: Permission) -> tuple[Pipeline, Coupling]:
    """Of an app that the account sees, and with which it may do that."""
    database = context.platform(request).database
    found = await database.run(stored.coupling, request.path_params["coupling"])
    try:
        await context.app_named(request, found.app_id, *needed)
    except NotFound as error:
        raise stored.no_coupling() from error
    return await database.run(stored.by_id, found.pipeline_id), found


def _all_couplings(connection: Connection, pipeline_id: str | None) -> list[Any]:
    known = {pipeline.id: pipeline for pipeline in stored.all(connection)}
    return [
        (known[each.pipeline_id], each) for each in stored.couplings_of(connection, pipeline_id)
    ]


def _check_owner(body: dict[str, Any], account: Account) -> None:
    """Heroku's clients name the one who asks. Raises UserError for anybody else."""
    owner = body.get("owner")
    if owner is None:
        return
    mine = (account.id, serial.user_reference(account.email)["id"])
    if not isinstance(owner, dict) or owner.get("id") not in mine:
        raise UserError(
            "invalid_params", "A pipeline is made for yourself only.", "Leave `owner` out."
        )


def serialise(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "created_at": serial.moment(pipeline.created_at),
        "generation": {"id": serial.derived_id("generation", "cedar"), "name": "cedar"},
        "id": pipeline.id,
        "name": pipeline.name,
        "owner": {"id": serial.user_reference(pipeline.owner)["id"], "type": "user"},
        "updated_at": serial.moment(pipeline.updated_at),
    }


def _coupling(pipeline: Pipeline, coupling: Coupling) -> dict[str, Any]:
    return {
        "app": {"id": coupling.app_id},
        "created_at": serial.moment(coupling.created_at),
        "id": coupling.id,
        "pipeline": {"id": pipeline.id, "name": pipeline.name},
        "stage": str(coupling.stage),
        "updated_at": serial.moment(coupling.updated_at),
    }


def _difference(found: Difference) -> dict[str, Any]:
    ahead = found.comparison.ahead if found.comparison else ()
    return {
        "ahead": [
            {"id": each.id, "author": each.author, "time": each.time_s, "subject": each.subject}
            for each in ahead
        ],
        "app": serial.app_reference(found.app),
        "behind": found.comparison.behind if found.comparison else None,
        "commit": found.release.commit if found.release else None,
        "compared": found.comparison is not None,
        "stage": str(found.stage),
    }


ROUTES = [
    Route("/pipelines", create, methods=["POST"]),
    Route("/pipelines", index, methods=["GET"]),
    Route("/pipelines/{pipeline}", info, methods=["GET"]),
    Route("/pipelines/{pipeline}", update, methods=["PATCH"]),
    Route("/pipelines/{pipeline}", delete, methods=["DELETE"]),
    Route("/pipelines/{pipeline}/pipeline-couplings", couplings_of, methods=["GET"]),
    Route("/pipeline-couplings", couple, methods=["POST"]),
    Route("/pipeline-couplings", couplings, methods=["GET"]),
    Route("/users/{user}/pipeline-couplings", couplings, methods=["GET"]),
    Route("/pipeline-couplings/{coupling}", coupling, methods=["GET"]),
    Route("/pipeline-couplings/{coupling}", set_stage, methods=["PATCH"]),
    Route("/pipeline-couplings/{coupling}", uncouple, methods=["DELETE"]),
    Route("/apps/{app}/pipeline-couplings", coupling_of_app, methods=["GET"]),
    Route("/smartplatform/apps/{app}/pipeline-differences", differences, methods=["GET"]),
]
