"""Connections to control: uvicorn's, with a limit to how long a request's head may take.

uvicorn closes what is idle after an answer; here also what never sends a whole head, and what goes
on with a body that was answered already. How long a body may take, its reader decides.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT_S = 30.0


class Connection(HttpToolsProtocol):
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaits_head():
            self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

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
