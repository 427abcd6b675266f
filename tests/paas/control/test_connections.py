"""Connections to control end when no whole request comes, whatever dribbles in."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from paas.control import connections

TIMEOUT_S = 60


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("hello")(scope, receive, send)


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    config = uvicorn.Config(app, http=connections.Connection, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await task


@pytest.mark.parametrize(
    ("before", "dribble"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"X"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", b"X"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"X"),
    ],
)
def test_what_never_becomes_a_request_is_closed(
    before: bytes, dribble: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.3)

    async def story() -> None:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(before)
            reading = asyncio.create_task(reader.read())
            while not reading.done():
                if dribble:
                    writer.write(dribble)
                await asyncio.wait([reading], timeout=0.02)
            writer.close()

    asyncio.run(asyncio.wait_for(story(), TIMEOUT_S))


def test_requests_that_follow_one_another_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 30.0)

    async def story() -> None:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(5) == b"hello"
            writer.close()

    asyncio.run(asyncio.wait_for(story(), TIMEOUT_S))
