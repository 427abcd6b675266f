"""Writes down each change that is asked for: who, from where, which, and its status.

What a request brings is not written: it may be secret. Handlers add a word (`context.note`).
"""

import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paas.api import roles
from paas.api.authentication import CALLER_SCOPE, OWNER_SCOPE, Caller
from paas.apps.apps import App
from paas.store import Database, audit

NOTES_SCOPE = "smartplatform.notes"
AGENT_CHARACTERS_MAX = 100
DETAIL_CHARACTERS_MAX = 300
_READS = re.compile(
    r"/apps/[^/]+/(log-sessions|sources)|/sources|/filters/apps|/smartplatform/git-passes"
    r"|/smartplatform/apps/[^/]+/objects/missing"
)
"""POST, and yet they change nothing. Logs are to be read where nothing can be written."""


@dataclass
class Notes:
    """What handlers add to their line."""

    texts: list[str] = field(default_factory=list)
    app: App | None = None


class Auditing:
    """Middleware inside of Authentication: who asks is known, and may."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER_SCOPE)
        if caller is None or scope["method"] in ("GET", "HEAD") or _READS.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        id = await self.database.run(
            audit.begin,
            user=caller.account.email,
            token_id=caller.token_id,
            action=f"{scope['method']} {_printable(scope['path'], DETAIL_CHARACTERS_MAX)}",
            origin=origin_of(scope),
            agent=_printable(Headers(scope=scope).get("user-agent", ""), AGENT_CHARACTERS_MAX),
            app=roles.app_of(scope["path"]),
        )
        status, notes = 500, Notes()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app({**scope, NOTES_SCOPE: notes}, receive, watched)
        finally:
            detail = _printable("; ".join(notes.texts), DETAIL_CHARACTERS_MAX)
            await self.database.run(audit.end, id, status, detail, notes.app)


def origin_of(scope: MutableMapping[str, Any]) -> str:
    """Where a request came from."""
    if scope.get(OWNER_SCOPE) is True:
        return "control socket"
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _printable(text: str, most: int) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:most])
