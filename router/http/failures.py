"""What can go wrong with a request, as Heroku names it.

Codes and words are those of https://devcenter.heroku.com/articles/error-codes; a code has one
description and one status, and appears in the access line. How a visitor is told is `pages`'
matter.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """`retry_after_s`: when it may be worth trying again; 0 says nothing. `reason` is for the
    access line, and not for visitors."""

    code: str
    description: str
    status: int
    retry_after_s: int = 0
    reason: str = ""


class BadRequest(Exception):
    """The visitor sent what is no request that may be forwarded."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class BadResponse(Exception):
    """The app sent what is no response."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _failure(code: str, description: str, status: int = 503) -> Failure:
    return Failure(code, description, status)


APP_CRASHED = _failure("H10", "App crashed")
BACKLOG_TOO_DEEP = _failure("H11", "Backlog too deep")
REQUEST_TIMEOUT = _failure("H12", "Request timeout")
CLOSED_WITHOUT_RESPONSE = _failure("H13", "Connection closed without response")
NO_WEB_INSTANCES = _failure("H14", "No web processes running")
IDLE_CONNECTION = _failure("H15", "Idle connection")
INTERRUPTED = _failure("H18", "Server Request Interrupted")
CONNECT_TIMEOUT = _failure("H19", "Backend connection timeout")
BOOT_TIMEOUT = _failure("H20", "App boot timeout")
CONNECTION_REFUSED = _failure("H21", "Backend connection refused")
FORCED_CLOSE = _failure("H24", "Forced close")
CLIENT_INTERRUPTED = _failure("H27", "Client Request Interrupted", 499)
CLIENT_IDLE = _failure("H28", "Client Connection Idle", 499)
NO_SUCH_APP = _failure("H31", "No such app", 404)
MAINTENANCE = _failure("H80", "Maintenance mode")
BLANK_APP = _failure("H81", "Blank app")
PLATFORM = _failure("H99", "Platform error", 500)
NO_TABLE = Failure("H99", "Platform error", 503, 1, "the router has no table of routes yet")

_RESTRICTIONS = frozenset((405, 413, 414, 417, 431, 501, 505))


def bad_response(reason: str) -> Failure:
    return Failure("H17", "Poorly formatted HTTP response", 503, reason=reason)


def too_many_requests(retry_after_s: int) -> Failure:
    """Heroku has no code for it: a limit of ours, as in `restriction`."""
    return Failure("H25", "HTTP Restriction: too many requests", 429, retry_after_s)


def restriction(error: BadRequest) -> Failure:
    """H25 where the request breaks a limit or rule of ours, H26 where it is malformed."""
    if error.status in _RESTRICTIONS:
        return Failure("H25", f"HTTP Restriction: {error.reason}", error.status)
    return Failure("H26", f"Request Error: {error.reason}", error.status)
