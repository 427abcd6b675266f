"""Notices to the router: which machines can be reached now. Best effort: the table says what should
be, this what is. A router that is away is told of every machine when it is back, and so it is by a
node that was away.
"""

import asyncio
import contextlib
import logging
from pathlib import Path

from paas.node.machines.machine import Machine
from router.wire import frames

log = logging.getLogger(__name__)
_RETRY_S = 1.0
_TIMEOUT_S = 5.0


class Notices:
    """`tell` never waits and keeps only the last word about each machine."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._state: dict[str, bool] = {}
        self._pending: dict[str, bool] = {}
        self._news = asyncio.Event()

    def tell(self, machine: str, up: bool) -> None:
        if self._state.get(machine) != up:
            self._state[machine] = self._pending[machine] = up
            self._news.set()

    def tell_of(self, machine: Machine) -> None:
        """As it is now, if it is one that is to be reached."""
        if machine.port is not None:
            self.tell(machine.uuid, machine.listening is not None)

    def forget(self, machine: str) -> None:
        """It is gone."""
        if self._state.pop(machine, False):
            self._pending[machine] = False
            self._news.set()

    async def run(self) -> None:
        """For ever: connect, tell of every machine, then what changes."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, frames.FrameError):
                await self._talk()
            await asyncio.sleep(_RETRY_S)

    async def _talk(self) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            self._pending = {**self._state, **self._pending}
            while True:
                while self._pending:
                    machine, up = next(iter(self._pending.items()))
                    writer.write(frames.encode({"type": "machine", "machine": machine, "up": up}))
                    async with asyncio.timeout(_TIMEOUT_S):
                        await writer.drain()
                        if await frames.read(reader) is None:
                            return
                    if self._pending.get(machine) == up:
                        del self._pending[machine]
                self._news.clear()
                if not await self._wait_news(reader):
                    return
        finally:
            writer.close()

    async def _wait_news(self, reader: asyncio.StreamReader) -> bool:
        """True when there is something to tell; False when the router went away."""
        news = asyncio.ensure_future(self._news.wait())
        end = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({news, end}, return_when=asyncio.FIRST_COMPLETED)
            return not end.done()
        finally:
            news.cancel()
            end.cancel()
            await asyncio.gather(news, end, return_exceptions=True)
