"""One HTTP exchange over ASGI: a request body that streams in, a response that streams out.

Request bodies may be compressed (git does so for large negotiations); how much comes out of them is
the reader's to bound, and nothing is inflated ahead of the reader.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping

from gitserver.faults import Fault
from gitserver.interface import Receive, Scope, Send

_STEP_BYTES = 256 * 1024
_NO_CACHE = {
    "expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "pragma": "no-cache",
    "cache-control": "no-cache, max-age=0, must-revalidate",
}


class ClientGone(Exception):
    """The client closed its connection, or said nothing for too long."""


class Exchange:
    """`idle_s`: how long a client may be silent, and may leave a response unread."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, idle_s: float) -> None:
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.url = f"{scope.get('scheme', 'http')}://{self.headers.get('host', '')}{self.path}"
        """As the client has it, without the query."""
        self.query: bytes = scope.get("query_string", b"")
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._body_ended = False

    @property
    def protocol_version(self) -> int:
        """What the client asks for in Git-Protocol (gitprotocol-http(5)): 0, 1 or 2."""
        words = self.headers.get("git-protocol", "").split(":")
        return max((n for n in (0, 1, 2) if f"version={n}" in words), default=0)

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body, uncompressed. Raises ClientGone, Fault for an unknown encoding."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise Fault(f"this server can't read a body in {encoding}")
        # 31: gzip's own header and checksum (RFC 1952).
        inflater = None if encoding == "identity" else zlib.decompressobj(31)
        while not self._body_ended:
            data = await self._next()
            for part in _inflate(inflater, data) if inflater else (data,):
                yield part
        if inflater is not None and not inflater.eof:
            raise Fault("the compressed body is cut short")

    async def read_all(self, limit_bytes: int) -> bytes:
        """A small body as a whole. Raises Fault when it is over the limit."""
        data = bytearray()
        async for part in self.body():
            data += part
            if len(data) > limit_bytes:
                raise Fault(f"the request is over {limit_bytes} bytes")
        return bytes(data)

    async def drain(self, limit_bytes: int) -> None:
        """Reads on and forgets, so that a client that is still sending hears the answer."""
        while not self._body_ended and limit_bytes > 0:
            limit_bytes -= len(await self._next())

    async def gone(self) -> None:
        """Returns when the client has gone; to be called when the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(
        self, status: int, content_type: str, extra: Mapping[str, str] | None = None
    ) -> None:
        headers = {"content-type": content_type, **_NO_CACHE, **(extra or {})}
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Raises ClientGone when the client does not take it in time."""
        message = {"type": "http.response.body", "body": data, "more_body": more}
        try:
            async with asyncio.timeout(self._idle_s):
                await self._send(message)
        except (TimeoutError, OSError) as error:
            raise ClientGone("the client does not read") from error

    async def respond(
        self, status: int, content_type: str, body: bytes, extra: Mapping[str, str] | None = None
    ) -> None:
        await self.start(status, content_type, {"content-length": str(len(body)), **(extra or {})})
        await self.write(body, more=False)

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError as error:
            raise ClientGone("the client sends nothing") from error
        if message["type"] == "http.disconnect":
            raise ClientGone("the client closed the connection")
        self._body_ended = not message.get("more_body", False)
        data: bytes = message.get("body", b"")
        return data


def _inflate(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """A step at a time: a few bytes of gzip can stand for gigabytes."""
    try:
        while data and not inflater.eof:
            yield inflater.decompress(data, _STEP_BYTES)
            data = inflater.unconsumed_tail
    except zlib.error as error:
        raise Fault(f"the compressed body is corrupt: {error}") from error
