"""TLS on control's port, beside plain HTTP: the first byte of a connection decides.

A record of TLS's handshake begins with 22, which no request does. The certificate is the
installation's own authority's, for this host by its loopback names: the port listens there only.
It is made when it is first needed, for the parts that this takes are large.
"""

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from paas.settings import Settings

HANDSHAKE = b"\x16"
HANDSHAKE_TIMEOUT_S = 30.0
NAMES = ("localhost", "127.0.0.1", "::1")
_RENEWED_S = 30 * 86400.0
"""A third of the certificate's life."""

Begin = Callable[[asyncio.Transport, bytes, asyncio.Protocol], Awaitable[asyncio.Transport]]


class Encryption:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._made_s = 0.0
        self._making = asyncio.Lock()

    async def begin(
        self, transport: asyncio.Transport, first: bytes, protocol: asyncio.Protocol
    ) -> asyncio.Transport:
        """Go on encrypted with `protocol`; `first` is what has come already. Raises OSError."""
        transport.pause_reading()
        context = await self._get()
        loop = asyncio.get_running_loop()
        starting = asyncio.create_task(
            loop.start_tls(
                transport,
                protocol,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            )
        )
        await asyncio.sleep(0)  # It has set its own protocol, and will call connection_made.
        loop.call_soon(_feed, transport, first)
        try:
            encrypted = await starting
        except ssl.SSLError as error:
            raise ConnectionAbortedError(f"no TLS: {error}") from error
        if encrypted is None:
            raise ConnectionAbortedError("the connection ended in its handshake")
        return encrypted

    async def _get(self) -> ssl.SSLContext:
        async with self._making:
            if self._context is None or time.monotonic() - self._made_s > _RENEWED_S:
                self._context = await asyncio.to_thread(_context, self._settings)
                self._made_s = time.monotonic()
            return self._context


def _context(settings: Settings) -> ssl.SSLContext:
    from paas.certificates.authority import Authority

    authority = Authority.open(settings.root_certificate, settings.installation)
    issued = authority.issue(NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # The standard library reads certificates from files only (mkdtemp makes the folder 0700).
    with tempfile.TemporaryDirectory(dir=settings.root_certificate.parent) as name:
        file = Path(name) / "pair.pem"
        file.write_text(issued.chain + issued.key)
        context.load_cert_chain(file)
    return context


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    """What came before TLS was there, as if it came now: both loops' TLS is a BufferedProtocol."""
    protocol: Any = transport.get_protocol()
    with contextlib.suppress(OSError):
        while data:
            buffer = memoryview(protocol.get_buffer(len(data)))
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            protocol.buffer_updated(count)
            data = data[count:]
