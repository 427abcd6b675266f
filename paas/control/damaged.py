"""What control is while its database is damaged: it answers everybody with one sentence.

Router and node go on without it, and so do the apps. When another file lies in the database's
place, control ends and the supervisor starts it again.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import gitserver
from gitserver.interface import ASGIApp, Receive, Scope, Send
from paas.api.authentication import OWNER_SCOPE
from paas.settings import Settings

LOOK_EVERY_S = 1.0
FOR_OTHERS = "the platform's database is damaged; its operator is told how to mend it"


def application(settings: Settings, sentence: str) -> ASGIApp:
    """The owner hears the sentence itself; whoever else asks, that there is one."""

    async def authenticate(_authorization: str | None, _scope: Scope, _pushes: bool) -> str:
        return "somebody"

    async def find(_name: str, _user: str) -> gitserver.NotFoundMessage:
        return gitserver.NotFoundMessage(FOR_OTHERS)

    async def accept(push: gitserver.Push) -> dict[str, str | None]:
        return {update.name: FOR_OTHERS for update in push.updates}

    git_server = gitserver.application(
        repositories=settings.repositories, authenticate=authenticate, find=find, accept=accept
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        owner = not (scope.get("server") or (None, None))[1]
        scope[OWNER_SCOPE] = owner
        if gitserver.matches(scope["path"]):
            await git_server(scope, receive, send)
        else:
            await _unavailable(sentence if owner else FOR_OTHERS, send)

    return answer


async def until_replaced(path: Path, serving: Callable[[], Awaitable[None]]) -> None:
    """Serve until there is another file at the path, or serving has ended."""
    before = await asyncio.to_thread(_identity, path)
    work = asyncio.ensure_future(serving())
    while not work.done() and await asyncio.to_thread(_identity, path) == before:
        await asyncio.wait([work], timeout=LOOK_EVERY_S)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


async def _unavailable(sentence: str, send: Send) -> None:
    body = json.dumps({"id": "platform_unavailable", "message": f"{sentence}."}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
