"""One port: HTTP, HTTPS and the rendezvous inside of TLS, by the first bytes. curl's library and
OpenSSL judge the certificate."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
import uvloop
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from paas.control import attaching
from paas.control.connections import Connection
from paas.control.encryption import Encryption
from paas.platform.attachments import Attachments, Input
from paas.settings import Settings

TIMEOUT_S = 60


@dataclass(frozen=True)
class Here(Settings):
    folder: Path = Path()

    @property
    def state(self) -> Path:
        return self.folder


@dataclass
class Served:
    port: int
    attachments: Attachments
    tls: ssl.SSLContext


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(f"hello over {scope['scheme']}")(scope, receive, send)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    attachments = Attachments()
    encryption = Encryption(Here(folder=folder))

    def rendezvous(secret: bytes, transport: asyncio.Transport) -> asyncio.StreamReader | None:
        return attaching.rendezvous(secret, transport, attachments)

    http = Connection.with_tls(encryption, rendezvous)
    config = uvicorn.Config(app, http=http, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    await encryption._get()
    root = Here(folder=folder).root_certificate
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            context = ssl.create_default_context(cafile=str(root))
            yield Served(listener.getsockname()[1], attachments, context)
        finally:
            server.should_exit = server.force_exit = True
            await task


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_the_port_speaks_http_and_https(runner: object, tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            serving(tmp_path) as served,
            httpx.AsyncClient(trust_env=False, verify=served.tls) as client,
        ):
            for scheme in ("http", "https"):
                for host in ("localhost", "127.0.0.1"):
                    answer = await client.get(f"{scheme}://{host}:{served.port}/")
                    assert answer.text == f"hello over {scheme}"

    runner(asyncio.wait_for(story(), TIMEOUT_S))  # type: ignore[operator]


def test_a_secret_inside_of_tls_attaches_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path) as served:
            offer = served.attachments.offer()
            there = ("127.0.0.1", served.port)
            reader, writer = await asyncio.open_connection(*there, ssl=served.tls)
            writer.write(f"{offer.secret}\r\nkeys".encode())
            assert await reader.readline() == b"rendezvous\r\n"
            client = await offer.taken(TIMEOUT_S)
            assert await client.receive() == Input(b"keys")
            await client.send(1, b"x" * 500_000)
            await client.end(0)
            assert await reader.read() == b"x" * 500_000
            writer.close()
            for secret in (offer.secret, "A" * 43):
                reader, writer = await asyncio.open_connection(*there, ssl=served.tls)
                writer.write(f"{secret}\r\n".encode())
                assert await reader.read() == b""
                writer.close()

    uvloop.run(asyncio.wait_for(story(), TIMEOUT_S))


def test_the_line_of_a_secret_needs_no_end_and_garbage_is_no_secret(tmp_path: Path) -> None:
    """PyPI's heroku3 sends the letters alone."""

    async def story() -> None:
        async with serving(tmp_path) as served:
            offer = served.attachments.offer()
            there = ("127.0.0.1", served.port)
            reader, writer = await asyncio.open_connection(*there, ssl=served.tls)
            writer.write(offer.secret.encode())
            assert await reader.readline() == b"rendezvous\r\n"
            client = await offer.taken(TIMEOUT_S)
            ending = asyncio.create_task(client.end(0))
            writer.write(b"\x04")
            await ending
            writer.close()
            for garbage in (b"\xff" * 50, b"A" * 42 + b"\r\n", b"\r\n\r\n"):
                reader, writer = await asyncio.open_connection(*there, ssl=served.tls)
                writer.write(garbage)
                assert b"rendezvous" not in await reader.read()
                writer.close()

    uvloop.run(asyncio.wait_for(story(), TIMEOUT_S))


def test_who_breaks_off_or_speaks_no_tls_harms_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path) as served:
            for sent in (b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" * 70_000):
                _, writer = await asyncio.open_connection("127.0.0.1", served.port)
                writer.write(sent)
                writer.close()
            async with httpx.AsyncClient(trust_env=False, verify=served.tls) as client:
                assert (await client.get(f"https://localhost:{served.port}/")).status_code == 200

    uvloop.run(asyncio.wait_for(story(), TIMEOUT_S))
