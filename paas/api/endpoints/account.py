"""The account that asks."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.apps.account import OWNER

CREATED_AT = "2026-01-01T00:00:00.000000Z"
"""The owner was there before anything else."""
REQUESTS_LEFT = 4500
"""Heroku's hourly limit, which is not enforced here."""


async def info(request: Request) -> Response:
    email = context.user(request)
    reference = serial.user_reference(email)
    return JSONResponse(
        {
            **reference,
            "name": OWNER.name,
            "allow_tracking": False,
            "beta": False,
            "country_of_residence": None,
            "created_at": CREATED_AT,
            "default_organization": None,
            "default_team": None,
            "delinquent_at": None,
            "federated": False,
            "identity_provider": None,
            "last_login": None,
            "sms_number": None,
            "suspended_at": None,
            "two_factor_authentication": False,
            "updated_at": CREATED_AT,
            "verified": True,
        }
    )


async def rate_limits(request: Request) -> Response:
    return JSONResponse({"remaining": REQUESTS_LEFT})


ROUTES = [
    Route("/account", info, methods=["GET"]),
    Route("/account/rate-limits", rate_limits, methods=["GET"]),
    Route("/users/~", info, methods=["GET"]),
]
