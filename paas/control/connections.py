"""Connections to control: uvicorn's, with a limit to how long a request's head may take.

uvicorn closes what is idle after an answer; here also what never sends a whole head, and what goes
on with a body that was answered already. How long a body may take, its reader decides.

The same port speaks TLS, and inside of that Heroku's rendezvous beside HTTP: first bytes decide.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paas.control.attaching import SECRET, SECRET_BYTES
from paas.control.encryption import HANDSHAKE, Encryption
from paas.errors import PlatformError

HEAD_TIMEOUT_S = 30.0
_NO_SECRETS = re.compile(rb"[^A-Za-z0-9_-]")
"""In a request a space comes before it has as many bytes as a secret."""
log = logging.getLogger(__name__)

Rendezvous = Callable[[bytes, asyncio.Transport], asyncio.StreamReader | None]


class Connection(HttpToolsProtocol):
    _limit: asyncio.TimerHandle | None = None
    _is_fresh = True
    _is_handed_over = False
    _encryption: "Encryption | None" = None
    _rendezvous: "Rendezvous | None" = None

    @classmethod
    def with_tls(cls, encryption: Encryption, rendezvous: Rendezvous) -> type["Connection"]:
        """Connections that also speak TLS, and let those through who bring a secret."""
        more = {"_encryption": encryption, "_rendezvous": staticmethod(rendezvous)}
        return type("ConnectionWithTls", (cls,), more)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_fresh:
            self._is_fresh = False
            if self._encryption is not None and data.startswith(HANDSHAKE):
                self._go_on_encrypted(data)
                return
        super().data_received(data)
        if not self._is_handed_over and self._awaits_head():
            self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def _go_on_encrypted(self, data: bytes) -> None:
        self._end()
        self.connections.discard(self)
        task = asyncio.create_task(self._encrypted(data))
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    async def _encrypted(self, data: bytes) -> None:
        assert self._encryption is not None and self._rendezvous is not None
        inner = type(self)(self.config, self.server_state, self.app_state)
        inner._encryption = None
        entrance = _Entrance(inner, self._rendezvous)
        try:
            transport = await self._encryption.begin(self.transport, data, entrance)
        except (OSError, PlatformError) as error:
            log.info("a connection was given up: %s", error)
            self.transport.abort()
            return
        entrance.begin(transport)

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is another protocol's, and may be silent for long."""
        self._is_handed_over = True
        super().handle_websocket_upgrade()

    def _awaits_head(self) -> bool:
        cycle: Any = self.cycle  # uvicorn says it is never None, and begins with None
        return cycle is None or bool(cycle.response_complete)

    def _begin(self) -> None:
        """From its first byte on: bytes that dribble in win no time."""
        if self._limit is None and not self.transport.is_closing():
            self._limit = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _too_slow(self) -> None:
        self._limit = None
        if self._awaits_head():
            self.transport.close()


class _Entrance(asyncio.Protocol):
    """The first bytes inside of TLS: a secret's line, or the beginning of a request."""

    def __init__(self, http: Connection, rendezvous: Rendezvous) -> None:
        self._http, self._rendezvous = http, rendezvous
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(HEAD_TIMEOUT_S, transport.close)
        self._decide()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._decide()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _decide(self) -> None:
        """A secret's letters alone may be its whole line: not every client ends it."""
        begun, transport = self._received[:SECRET_BYTES], self._transport
        if transport is None or not begun:
            return
        is_secret = SECRET.fullmatch(begun) is not None
        if not is_secret and len(begun) < SECRET_BYTES and not _NO_SECRETS.search(begun):
            return
        if self._limit is not None:
            self._limit.cancel()
        if is_secret:
            reader = self._rendezvous(begun, transport)
            if reader is None:
                transport.close()
            elif more := self._received[SECRET_BYTES:].removeprefix(b"\r\n"):
                reader.feed_data(more)
            return
        transport.set_protocol(self._http)
        self._http.connection_made(transport)
        self._http.data_received(self._received)
