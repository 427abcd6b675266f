"""Failures as Heroku's clients expect them: a status and `{"id": …, "message": …}`."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from paas.errors import PlatformError, UserError

log = logging.getLogger(__name__)

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "conflict": 409,
    "request_entity_too_large": 413,
    "invalid_params": 422,
    "rate_limit": 429,
    "not_implemented": 501,
    "unavailable": 503,
}
OTHER_STATUS = 422
"""For ids that only we have (`build_failed`, …): the request was understood and can't be done."""


def user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    status = STATUS.get(error.id, OTHER_STATUS)
    content = body(error, request.headers.get("user-agent", ""))
    # The rest of a body that was not read must not be waited for, nor taken for a request.
    headers = {"Connection": "close"} if status in (408, 413) else None
    return JSONResponse(content, status_code=status, headers=headers)


def body(error: UserError, user_agent: str) -> dict[str, str]:
    """Our own client shows the hint by itself; Heroku's clients show the message alone."""
    if not error.hint or user_agent.split("/")[0] == "paas":
        hint = {"hint": error.hint} if error.hint else {}
        return {"id": error.id, "message": error.message, **hint}
    return {"id": error.id, "message": f"{error.message}\n{error.hint}"}


def platform_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "The platform failed; its operator finds the reason in the control process's log."
    return JSONResponse({"id": "internal_server_error", "message": message}, status_code=500)


def http_exception(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    id, message = _BY_STATUS.get(error.status_code, ("bad_request", error.detail))
    content = {"id": id, "message": message}
    return JSONResponse(content, status_code=error.status_code, headers=error.headers)


def disconnected(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


_BY_STATUS = {
    404: ("not_found", "There is no such endpoint."),
    405: ("method_not_allowed", "This endpoint does not know this method."),
}

HANDLERS: Mapping[Any, Any] = {
    UserError: user_error,
    PlatformError: platform_error,
    HTTPException: http_exception,
    ClientDisconnect: disconnected,
    Exception: platform_error,
}
