"""Apps: create, list, info, update, delete."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import address
from paas.apps.access import Permission
from paas.apps.apps import DEFAULT_STACK, App
from paas.apps.processes import WEB
from paas.errors import NotFound, UserError
from paas.settings import Settings
from paas.store import collaborators, releases

_CHANGEABLE = {
    "name": Permission.MANAGE,
    "maintenance": Permission.OPERATE,
    "root": Permission.DEPLOY,
    "deploy_branch": Permission.DEPLOY,
    "supersede": Permission.DEPLOY,
}
"""And the permission that it needs. `root` and `deploy_branch` are our own: Heroku builds all of a
repository, of main or master; `supersede` as well: there pushes of an app do not wait for each
other."""


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    _check_place(body)
    platform = context.platform(request)
    root = context.text(body, "root") or ""
    app = await platform.apps.create(context.text(body, "name"), context.user(request), root)
    context.note(request, app.name, app)
    return JSONResponse(serialise(app, platform.settings), status_code=201)


async def index(request: Request) -> Response:
    platform = context.platform(request)
    caller = context.caller(request)
    named = request.path_params.get("user", "~")
    if named not in ("~", caller.account.email, caller.account.id):
        raise NotFound("There is no such account.", "`paas apps` lists your apps.")
    found = await platform.database.run(collaborators.visible, caller.account, caller.apps)
    return paging.answer(request, [serialise(app, platform.settings) for app in found], key="name")


async def filtered(request: Request) -> Response:
    """Several at once, by ids: Heroku's clients ask so for those of a pipeline."""
    wanted = (await context.json_object(request)).get("in")
    ids = wanted.get("id") if isinstance(wanted, dict) else None
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise context.invalid("in", 'ids of apps: {"id": [...]}')
    platform = context.platform(request)
    caller = context.caller(request)
    known = await platform.database.run(collaborators.visible, caller.account, caller.apps)
    found = [app for app in known if app.id in set(ids)]
    return paging.answer(request, [serialise(app, platform.settings) for app in found], key="name")


async def info(request: Request) -> Response:
    platform = context.platform(request)
    app = await context.app_of(request)
    release = await platform.database.run(releases.current, app.id)
    released_at = serial.moment(release.created_at) if release and release.image_uuid else None
    found = {
        **serialise(app, platform.settings),
        "buildpack_provided_description": release.known_by if release else None,
        "released_at": released_at,
    }
    if release and release.processes and WEB not in release.processes:
        found["web_url"] = None
    return JSONResponse(found)


async def update(request: Request) -> Response:
    body = await context.json_object(request)
    unknown = sorted(set(body) - _CHANGEABLE.keys())
    if unknown:
        raise UserError(
            "invalid_params",
            f"`{unknown[0]}` of an app can't be changed.",
            "`name`, `maintenance`, `root`, `deploy_branch` and `supersede` can.",
        )
    name, maintenance = context.text(body, "name"), context.switch(body, "maintenance")
    root, supersede = context.text(body, "root"), context.switch(body, "supersede")
    platform = context.platform(request)
    app = await context.app_of(request)
    for key, permission in _CHANGEABLE.items():
        if body.get(key) is not None:
            context.demand(request, permission)
            context.note(request, f"{key}: {body[key]}")
    if root is not None and root != app.root:
        app = await platform.apps.set_root(app, root, context.user(request))
    branch = context.text(body, "deploy_branch")
    if branch is not None and branch != app.deploy_branch:
        app = await platform.apps.set_deploy_branch(app, branch, context.user(request))
    if supersede is not None and supersede != app.supersede:
        app = await platform.apps.set_supersede(app, supersede, context.user(request))
    if maintenance is not None and maintenance != app.maintenance:
        app = await platform.apps.set_maintenance(app, maintenance)
    if name is not None and name != app.name:
        app = await platform.apps.rename(app, name)
    return JSONResponse(serialise(app, platform.settings))


async def delete(request: Request) -> Response:
    platform = context.platform(request)
    app = await context.app_of(request)
    await platform.apps.destroy(app)
    return JSONResponse(serialise(app, platform.settings))


def serialise(app: App, settings: Settings) -> dict[str, Any]:
    stack = serial.stack_reference(app.stack)
    return {
        **serial.app_reference(app),
        "acm": False,
        "archived_at": None,
        "buildpack_provided_description": None,
        "build_stack": stack,
        "create_status": "complete",
        "deploy_branch": app.deploy_branch,
        "created_at": serial.moment(app.created_at),
        "generation": {"id": serial.derived_id("generation", "cedar"), "name": "cedar"},
        "git_url": serial.git_url(app, settings),
        "ssh_git_url": serial.ssh_git_url(app, settings),
        "internal_routing": None,
        "maintenance": app.maintenance,
        "organization": None,
        "owner": serial.user_reference(app.owner),
        "region": serial.REGION,
        "released_at": None,
        "repo_size": None,
        "root": app.root,
        "slug_size": None,
        "space": None,
        "stack": stack,
        "supersede": app.supersede,
        "team": None,
        "updated_at": serial.moment(app.created_at),
        "web_url": address.web_url(app.name, settings),
    }


def _check_place(body: dict[str, Any]) -> None:
    """There is one region and one stack, and there are no teams. Raises UserError otherwise.

    `cedar` is what Heroku's clients call any stack.
    """
    places: dict[str, tuple[str, ...]] = {
        "region": (serial.REGION["name"],),
        "stack": (DEFAULT_STACK, "cedar"),
        "team": (),
        "space": (),
    }
    for key, known in places.items():
        asked = body.get(key)
        asked = asked.get("name") if isinstance(asked, dict) else asked
        if asked is not None and asked not in known:
            hint = f"Leave it out: there is only {known[0]}." if known else "Leave it out."
            raise UserError("invalid_params", f"There is no {key} {asked!r}.", hint)


ROUTES = [
    Route("/apps", create, methods=["POST"]),
    Route("/apps", index, methods=["GET"]),
    Route("/filters/apps", filtered, methods=["POST"]),
    Route("/users/{user}/apps", index, methods=["GET"]),
    Route("/apps/{app}", info, methods=["GET"]),
    Route("/apps/{app}", update, methods=["PATCH"]),
    Route("/apps/{app}", delete, methods=["DELETE"]),
]
