"""The router's control socket, from the control process's side: tables out, acknowledgements in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from paas.errors import PlatformError
from router.wire import frames

RECONNECT_PAUSE_S = 0.2
ANSWER_TIMEOUT_S = 30.0
"""More than the router takes to kill a worker that hangs (router/keeper/workers.py)."""


class Router:
    """Sends requests to the keeper, each on a connection of its own: a drain blocks no other."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def apply(self, table: dict[str, Any]) -> int:
        """Publish a table; returns when every worker obeys it, with the version in force."""
        answer = await self._ask({"type": "table", "table": table}, ANSWER_TIMEOUT_S)
        return int(answer["version"])

    async def drain(self, instance: str, timeout_s: float) -> bool:
        """Wait until no worker has a request in flight to the instance; False after `timeout_s`."""
        try:
            await self._ask({"type": "drain", "instance": instance}, timeout_s)
        except TimeoutError:
            return False
        return True

    async def certificates(self, version: int, certificates: list[dict[str, Any]]) -> int:
        """Publish the whole set; returns when every worker uses it, with the version in force."""
        request = {"type": "certificates", "version": version, "certificates": certificates}
        return int((await self._ask(request, ANSWER_TIMEOUT_S))["version"])

    async def challenges(self, challenges: dict[str, str]) -> None:
        """Have these ACME challenges (token → answer) and no others answered by every worker."""
        await self._ask({"type": "challenges", "challenges": challenges}, ANSWER_TIMEOUT_S)

    async def metrics(self) -> str:
        """What it counts of every app, in Prometheus' text format."""
        return str((await self._ask({"type": "metrics"}, ANSWER_TIMEOUT_S))["text"])

    async def status(self) -> dict[str, Any]:
        return await self._ask({"type": "status"}, ANSWER_TIMEOUT_S)

    async def appearances(self) -> AsyncIterator[None]:
        """Again and again, for ever: a router is there that may have been told nothing yet."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                try:
                    yield
                    await reader.read()  # to the end of the connection: it says nothing by itself
                finally:
                    writer.close()
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Raises PlatformError when the router is away or refuses, TimeoutError when it is slow."""
        async with asyncio.timeout(timeout_s):
            try:
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError as error:
                raise PlatformError(f"the router does not answer: {error}") from error
            try:
                writer.write(frames.encode(request))
                await writer.drain()
                answer = await frames.read(reader)
            except (OSError, frames.FrameError) as error:
                raise PlatformError(f"the router broke off: {error}") from error
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        if answer is None:
            raise PlatformError("the router closed the connection before it answered")
        if answer["type"] == "error":
            raise PlatformError(f"the router refused {request['type']}: {answer['message']}")
        return answer
