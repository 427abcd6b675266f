"""Log sessions: a URL under which lines of an app's log can be read for a while.

Beside what Heroku's have, they may be limited by time, text, request and level.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, serial
from paas.api.stream import Lines
from paas.apps import instances as rules
from paas.logs import Filter
from paas.logs.levels import LEVELS
from paas.store import apps
from paas.store.sql.row import new_id, now

STREAM = "/streams/logs"
LINES_DEFAULT = 100
LINES_MAX = 10_000
TEXT_CHARACTERS_MAX = 200


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    lines = context.number(body, "lines", most=LINES_MAX)
    wanted = {
        "lines": str(LINES_DEFAULT if lines is None else lines),
        "source": context.text(body, "source") or "",
        "dyno": context.text(body, "dyno") or context.text(body, "type") or "",
        "tail": "1" if context.switch(body, "tail") else "",
        "since": _moment_ns(body, "since"),
        "until": _moment_ns(body, "until"),
        "text": _text(body, "text"),
        "request_id": _text(body, "request_id"),
        "level": context.text(body, "level") or "",
    }
    if wanted["level"] not in ("", *LEVELS):
        raise context.invalid("level", f"one of {', '.join(LEVELS)}")
    if wanted["dyno"]:
        rules.parse_name(wanted["dyno"])
    app = await context.app_of(request)
    signed = request.app.state.signer.sign(STREAM, {"app": app.id, **wanted})
    moment = serial.moment(now())
    return JSONResponse(
        {
            "created_at": moment,
            "id": new_id(),
            "logplex_url": str(request.base_url).rstrip("/") + signed,
            "updated_at": moment,
        },
        status_code=201,
    )


async def stream(request: Request) -> Response:
    wanted = request.app.state.signer.check(request.url.path, request.url.query)
    platform = context.platform(request)
    app = await platform.database.run(apps.named, wanted["app"])
    lines = platform.logs.read(
        app,
        lines=int(wanted["lines"]),
        only=_filter(wanted),
        tail=bool(wanted["tail"]),
    )
    return Lines(request, lines, ends=not wanted["tail"])


def _filter(wanted: Mapping[str, str]) -> Filter:
    return Filter(
        source=wanted["source"] or None,
        process=wanted["dyno"] or None,
        since_ns=int(wanted["since"] or 0),
        until_ns=int(wanted["until"]) if wanted["until"] else None,
        texts=tuple(each for each in (wanted["text"], wanted["request_id"]) if each),
        level=wanted["level"] or None,
    )


def _moment_ns(body: dict[str, Any], key: str) -> str:
    text = context.text(body, key)
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return str(int(moment.timestamp() * 1000) * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise context.invalid(key, "a moment as in RFC 3339") from error


def _text(body: dict[str, Any], key: str) -> str:
    text = context.text(body, key) or ""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise context.invalid(key, f"a text of {TEXT_CHARACTERS_MAX} characters at most")
    return text


ROUTES = [
    Route("/apps/{app}/log-sessions", create, methods=["POST"]),
    Route(STREAM, stream, methods=["GET"]),
]
