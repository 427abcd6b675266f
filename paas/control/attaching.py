"""Connections that bring a secret: `GET /attach/SECRET` as a WebSocket, and Heroku's rendezvous.

Each becomes a `Client` (paas.platform.attachments) of whoever offered the secret, for as long as
the bytes flow. docs/contracts/attach.md.
"""

import asyncio
import contextlib
import re
import socket
from typing import Any

from paas.platform.attachments import Attachments, Input, Size
from paas.system import channels, websocket
from paas.system.plaintext import plain

SECRET_BYTES = 43
SECRET = re.compile(rb"[A-Za-z0-9_-]{43}")
HEAD_BYTES_MAX = 64 * 1024
HEAD_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 10.0
LINGER_S = 1.0
PING_S = 30.0
"""Proxies between cut what is silent, most of them after a minute."""
_CHUNK_BYTES = 64 * 1024
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class WebSocketClient:
    """Kubernetes' channels in a WebSocket."""

    end_of_input = b""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = websocket.Parser(from_client=True)
        self._waiting: list[Input | Size] = []
        self._pinging = asyncio.create_task(self._ping())

    async def receive(self) -> Input | Size | None:
        while not self._waiting:
            try:
                data = await self._reader.read(_CHUNK_BYTES)
                if not data:
                    return None
                for message in self._parser.feed(data):
                    if message.opcode == websocket.CLOSE:
                        return None
                    await self._take(message)
            except (OSError, websocket.WebSocketError):
                return None
        return self._waiting.pop(0)

    async def _take(self, message: websocket.Message) -> None:
        if message.opcode == websocket.PING:
            await self._send(websocket.PONG, message.data)
        if message.opcode != websocket.BINARY or not message.data:
            return
        channel, data = message.data[0], message.data[1:]
        if channel == channels.STDIN and data:
            self._waiting.append(Input(data))
        elif channel == channels.CLOSE and data == bytes([channels.STDIN]):
            self._waiting.append(Input(b""))
        elif channel == channels.RESIZE and (size := channels.parse_size(data)) is not None:
            self._waiting.append(Size(*size))

    async def send(self, stream: int, data: bytes) -> None:
        await self._send(websocket.BINARY, channels.message(stream, data))

    async def end(self, status: int, said: str = "") -> None:
        self._pinging.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._send(websocket.BINARY, channels.status(status, said))
                await self._send(websocket.CLOSE, (1000).to_bytes(2, "big"))
                # Closed with something unread, the kernel would drop what is still on its way out.
                while await self._reader.read(_CHUNK_BYTES):
                    pass
        self._writer.close()

    async def _send(self, opcode: int, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self._writer.write(websocket.encode(opcode, data))
        await self._writer.drain()

    async def _ping(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(PING_S)
                await self._send(websocket.PING, b"")


class RendezvousClient:
    """Heroku's: bytes both ways, one stream; the client takes the end of the connection for the
    end of the process. Its size never changes, and without a terminal Ctrl-D ends the input."""

    end_of_input = b"\x04"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._has_heard = False

    async def receive(self) -> Input | None:
        try:
            data = await self._reader.read(_CHUNK_BYTES)
        except OSError:
            return None
        self._has_heard = True
        return Input(data) if data else None

    async def send(self, stream: int, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self._writer.write(data)
        await self._writer.drain()

    async def end(self, status: int, said: str = "") -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if said:
                    await self.send(0, f"\r\n !     Ended: {plain(said)}.\r\n".encode())
                await self._linger()
                self._writer.close()
                await self._writer.wait_closed()

    async def _linger(self) -> None:
        """Heroku's client tells the end of its empty input a moment after it has attached, and
        fails when the connection has ended by then."""
        if not self._has_heard:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._reader.read(_CHUNK_BYTES)


class Upgraded(asyncio.StreamReaderProtocol):
    """What uvicorn hands a request to that asks for a WebSocket, with its head from the start."""

    def __init__(self, attachments: Attachments, **_uvicorn: Any) -> None:
        super().__init__(asyncio.StreamReader(HEAD_BYTES_MAX), self._connected)
        self._attachments = attachments

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_alive(writer)
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                refusal = await _answer(head, reader, writer, self._attachments)
                if refusal:
                    writer.write(refusal)
                    await writer.drain()
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()


async def _answer(
    head: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    attachments: Attachments,
) -> bytes:
    """Attach it, or the answer that refuses."""
    first, *lines = head.split(b"\r\n")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in lines)
    }
    path = first.split(b" ")[1] if first.startswith(b"GET ") else b""
    secret = path.removeprefix(b"/attach/")
    key = fields.get(b"sec-websocket-key", b"")
    if fields.get(b"sec-websocket-version") != b"13" or not key:
        return _refusal(b"426 Upgrade Required", b"Sec-WebSocket-Version: 13\r\n")
    if not SECRET.fullmatch(secret) or not attachments.is_offered(secret.decode()):
        return _refusal(b"404 Not Found")
    offered = fields.get(b"sec-websocket-protocol", b"").decode("latin-1")
    named = channels.PROTOCOL in [each.strip() for each in offered.split(",")]
    answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {websocket.accept(key.decode('latin-1'))}",
        *([f"Sec-WebSocket-Protocol: {channels.PROTOCOL}"] if named else []),
    ]
    writer.write(("\r\n".join(answer) + "\r\n\r\n").encode())
    await writer.drain()
    client = WebSocketClient(reader, writer)
    if not attachments.take(secret.decode(), client):
        await client.end(255, "somebody else has attached")
    return b""


def _refusal(status: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n" % (status, more)


def rendezvous(
    secret: bytes, transport: asyncio.Transport, attachments: Attachments
) -> asyncio.StreamReader | None:
    """Let the connection be the client of who offered this; None when nobody has.

    The line that says so is what Heroku's client waits for: it drops the first piece that comes.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(HEAD_BYTES_MAX)
    protocol = asyncio.StreamReaderProtocol(reader)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    if not attachments.is_offered(secret.decode()):
        return None
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    keep_alive(writer)
    writer.write(b"rendezvous\r\n")
    attachments.take(secret.decode(), RendezvousClient(reader, writer))
    return reader


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """A client whose computer is gone is found out by the kernel within a minute."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
