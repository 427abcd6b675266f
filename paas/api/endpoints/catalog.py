"""What there is to choose from: stacks, regions, packages (which Heroku calls dyno sizes)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paas.api import paging, serial
from paas.api.endpoints.account import CREATED_AT
from paas.apps.apps import DEFAULT_STACK
from paas.apps.packages import PACKAGES, SHARES_PER_CORE, Package

_TIMES = {"created_at": CREATED_AT, "updated_at": CREATED_AT}


async def stacks(request: Request) -> Response:
    stack = {**serial.stack_reference(DEFAULT_STACK), "default": True, "state": "public", **_TIMES}
    return paging.answer(request, [stack], key="name")


async def regions(request: Request) -> Response:
    region = {
        **serial.REGION,
        "country": "here",
        "description": "This server",
        "locale": "here",
        "private_capable": False,
        "provider": {"name": "smartplatform", "region": "local"},
        **_TIMES,
    }
    return paging.answer(request, [region], key="name")


async def dyno_sizes(request: Request) -> Response:
    return paging.answer(request, [_size(package) for package in PACKAGES], key="name")


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
    Route("/regions", regions, methods=["GET"]),
    Route("/dyno-sizes", dyno_sizes, methods=["GET"]),
]
