"""The response of a push: text while work goes on, then the report, over side-band-64k.

One task writes; whoever has text puts it in a queue that a slow client can't make grow.
"""

import asyncio
import contextlib

from gitserver.protocol import packets
from gitserver.protocol.exchange import ClientGone, Exchange

_QUEUE_BYTES_MAX = 256 * 1024


class SideBand:
    """`progress` for text, `close` with the report. A client without side-band only gets that."""

    def __init__(
        self, exchange: Exchange, *, enabled: bool, keep_alive_s: float, progress_wait_s: float
    ) -> None:
        self._exchange = exchange
        self._enabled = enabled
        self._keep_alive_s = keep_alive_s
        self._progress_wait_s = progress_wait_s
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stalled = False
        self._closing = False
        self._gone = False
        self._writer = asyncio.create_task(self._write())

    async def progress(self, text: str) -> None:
        """Text for the terminal; dropped when the client has gone or does not read."""
        if not self._enabled or self._gone or self._closing or not text:
            return
        if not self._room.is_set() and not await self._wait_for_room():
            return
        self._put(
            b"".join(packets.encode_band(packets.PROGRESS_BAND, text.encode("utf-8", "replace")))
        )

    async def close(self, report: bytes) -> None:
        """Sends the report; the response is then complete but not ended. Raises ClientGone."""
        if self._enabled:
            report = b"".join(packets.encode_band(packets.DATA_BAND, report)) + packets.FLUSH
        self._closing = True
        self._put(report)
        await self._writer

    async def abandon(self) -> None:
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, ClientGone):
            await self._writer

    async def _wait_for_room(self) -> bool:
        if self._stalled:
            # It was waited for once: work must not go at the pace of a stopped terminal.
            return False
        try:
            async with asyncio.timeout(self._progress_wait_s):
                await self._room.wait()
        except TimeoutError:
            self._stalled = True
        return not self._stalled

    def _put(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > _QUEUE_BYTES_MAX:
            self._room.clear()
        self._changed.set()

    async def _write(self) -> None:
        try:
            while not (self._closing and not self._pending):
                await self._exchange.write(await self._next())
        except ClientGone:
            self._gone = True
            self._room.set()
            raise

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._keep_alive_s if self._enabled else None):
                await self._changed.wait()
        except TimeoutError:
            return packets.KEEP_ALIVE
        self._changed.clear()
        data, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        self._stalled = False
        self._room.set()
        return data
