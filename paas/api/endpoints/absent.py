"""What Heroku has and this platform has not: its clients ask for these, and find none."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context

OF_AN_APP = (
    "addon-attachments",
    "addons",
    "app-webhooks",
    "features",
    "webhooks",
)
OF_THE_ACCOUNT = (
    "/account/features",
    "/addon-attachments",
    "/addons",
    "/enterprise-accounts",
    "/oauth/clients",
    "/organizations",
    "/spaces",
    "/teams",
    "/users/{user}/addons",
)


async def none_of_the_app(request: Request) -> Response:
    await context.app_of(request)
    return JSONResponse([])


async def none(request: Request) -> Response:
    return JSONResponse([])


ROUTES = [
    *(Route(f"/apps/{{app}}/{name}", none_of_the_app, methods=["GET"]) for name in OF_AN_APP),
    *(Route(path, none, methods=["GET"]) for path in OF_THE_ACCOUNT),
]
