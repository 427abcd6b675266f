"""Answers that have not changed are not sent again: ETag, If-None-Match (RFC 9110 §8.8.3, §13.1.2).

Heroku's API promises it for what is read. An answer is made all the same; what is spared is its
way to the client.
"""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BYTES = 16
_NOT_OF_A_304 = ("content-length", "content-type")


class EntityTag:
    """Middleware. Only whole JSON answers of GET with status 200 have a tag; streams pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_be_tagged(message):
                start = message
                return
            if start is not None:
                begun, start = start, None
                if not message.get("more_body"):
                    begun, message = with_tag(begun, message, asked)
                await send(begun)
            await send(message)

        await self._app(scope, receive, tagged)


def _may_be_tagged(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return bool(start["status"] == 200) and kind.startswith("application/json")


def with_tag(start: Message, body: Message, asked: str) -> tuple[Message, Message]:
    """The two messages of an answer, with its tag; or of a 304 when the client has it already."""
    tag = f'"{hashlib.sha256(body.get("body", b"")).hexdigest()[: 2 * _BYTES]}"'
    start = {**start, "headers": list(start["headers"])}
    headers = MutableHeaders(raw=start["headers"])
    headers["ETag"] = tag
    if not matches(asked, tag):
        return start, body
    for name in _NOT_OF_A_304:
        if name in headers:
            del headers[name]
    return {**start, "status": 304}, {**body, "body": b""}


def matches(asked: str, tag: str) -> bool:
    """Whether a header's list of tags has this one, weakly compared (RFC 9110 §13.1.2)."""
    named = (one.strip().removeprefix("W/") for one in asked.split(","))
    return any(one in ("*", tag) for one in named)
