"""What there is to choose from: stacks, regions, packages (which Heroku calls dyno sizes)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.api.endpoints.account import CREATED_AT
from paas.apps.apps import DEFAULT_STACK
from paas.apps.packages import PACKAGES, SHARES_PER_CORE, Package
from paas.errors import NotFound

_TIMES = {"created_at": CREATED_AT, "updated_at": CREATED_AT}


Items = list[dict[str, Any]]


async def stacks(request: Request) -> Response:
    return paging.answer(request, _stacks(), key="name")


async def stack(request: Request) -> Response:
    return JSONResponse(_named(_stacks(), request.path_params["stack"], "stack"))


async def stacks_of_an_app(request: Request) -> Response:
    await context.app_of(request)
    return paging.answer(request, _stacks(), key="name")


async def regions(request: Request) -> Response:
    return paging.answer(request, _regions(), key="name")


async def region(request: Request) -> Response:
    return JSONResponse(_named(_regions(), request.path_params["region"], "region"))


async def dyno_sizes(request: Request) -> Response:
    return paging.answer(request, _sizes(), key="name")


async def dyno_size(request: Request) -> Response:
    return JSONResponse(_named(_sizes(), request.path_params["size"], "size"))


async def dyno_sizes_of_an_app(request: Request) -> Response:
    await context.app_of(request)
    return paging.answer(request, _sizes(), key="name")


def _named(items: Items, name: str, kind: str) -> dict[str, Any]:
    """By name or id, in any case, as Heroku finds them. Raises NotFound."""
    for item in items:
        if name.lower() in (item["name"].lower(), item["id"]):
            return item
    names = ", ".join(item["name"] for item in items)
    raise NotFound(f"There is no {kind} {name[:100]!r}.", f"There is: {names}")


def _stacks() -> Items:
    named = serial.stack_reference(DEFAULT_STACK)
    return [{**named, "default": True, "state": "public", **_TIMES}]


def _regions() -> Items:
    here = {
        **serial.REGION,
        "country": "here",
        "description": "This server",
        "locale": "here",
        "private_capable": False,
        "provider": {"name": "smartplatform", "region": "local"},
        **_TIMES,
    }
    return [here]


def _sizes() -> Items:
    return [_size(package) for package in PACKAGES]


def _size(package: Package) -> dict[str, Any]:
    return {
        "compute": package.cpu_shares / SHARES_PER_CORE,
        "cost": None,
        "dedicated": False,
        "id": serial.derived_id("size", package.name),
        "memory": package.max_physical_memory / 1024,
        "name": package.name,
    }


ROUTES = [
    Route("/stacks", stacks, methods=["GET"]),
    Route("/stacks/{stack}", stack, methods=["GET"]),
    Route("/apps/{app}/available-stacks", stacks_of_an_app, methods=["GET"]),
    Route("/regions", regions, methods=["GET"]),
    Route("/regions/{region}", region, methods=["GET"]),
    Route("/dyno-sizes", dyno_sizes, methods=["GET"]),
    Route("/dyno-sizes/{size}", dyno_size, methods=["GET"]),
    Route("/apps/{app}/available-dyno-sizes", dyno_sizes_of_an_app, methods=["GET"]),
]
