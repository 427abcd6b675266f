"""Lines as they come: plain text, or server-sent events for clients that ask for them.

The `heroku` command reads logs as events (WHATWG HTML §9.2), curl and heroku3 as text.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEARTBEAT_S = 15.0
"""Shorter than any client's patience (Node.js gives up a silent body after 300 s)."""


RECONNECT_MS = 100
"""The `heroku` command exits only when its reconnection timer fires, by default after 3 s."""


class Lines(Response):
    """Streams until the lines end or the client goes; then closes the iterator.

    `ends` says that the end of the lines is expected, and no reason to reconnect.
    """

    def __init__(self, request: Request, lines: AsyncIterator[str], *, ends: bool = True) -> None:
        self.preface = f"retry: {RECONNECT_MS}\n\n".encode() if ends else b":\n\n"
        self.events = "text/event-stream" in request.headers.get("accept", "")
        media_type = "text/event-stream" if self.events else "text/plain"
        super().__init__(None, media_type=media_type, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except OSError:
            pass
        finally:
            await _end(sending, leaving)

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            if self.events:
                await _send_body(send, self.preface)
            async with contextlib.aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    await _send_body(send, chunk)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(self.lines, "aclose", None)
            if close is not None:
                await close()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """Each line, and a heartbeat between them where the form has one."""
        following = asyncio.ensure_future(anext(self.lines, None))
        try:
            while True:
                timeout_s = HEARTBEAT_S if self.events else None
                done, _ = await asyncio.wait((following,), timeout=timeout_s)
                if not done:
                    yield b":\n\n"
                    continue
                line = following.result()
                if line is None:
                    return
                yield self._encoded(line)
                following = asyncio.ensure_future(anext(self.lines, None))
        finally:
            await _end(following)

    def _encoded(self, line: str) -> bytes:
        # A line end inside a line would let a tenant forge further lines or fields of an event.
        text = line.rstrip("\r\n").replace("\r", " ").replace("\n", " ")
        encoded = text.encode("utf-8", "replace")
        return b"data: " + encoded + b"\n\n" if self.events else encoded + b"\n"


async def _send_body(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel what still runs, and wait until it has cleaned up."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
