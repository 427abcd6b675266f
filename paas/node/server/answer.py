"""One connection: its request is read, its verb run, and answered by a result or a refusal."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

from paas.node import pools, protocol
from paas.node.errors import NodeError
from paas.node.machines.machines import Machines
from paas.node.machines.properties import Invalid
from paas.node.pools.interface import explain
from paas.node.server import requests
from paas.node.server.events import Events
from paas.node.server.verbs import VERBS, Call
from router.wire import frames

log = logging.getLogger(__name__)


class Server:
    """Answers what verbs ask of these machines and their images."""

    def __init__(self, machines: Machines, events: Events) -> None:
        self.machines, self.events = machines, events

    async def answer(self, connection: socket.socket) -> None:
        try:
            request = await requests.read(connection)
        except (frames.FrameError, OSError, TimeoutError) as error:
            log.warning("a request was refused: %s", error)
            connection.close()
            return
        if request is None:
            connection.close()
            return
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(await self._answer(request, reader, writer))
                await writer.drain()
        finally:
            request.close()
            writer.close()

    async def _answer(
        self,
        request: requests.Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes:
        async def tell(event: dict[str, Any]) -> None:
            writer.write(protocol.event(event))
            await writer.drain()

        call = Call(self.machines, self.events, request.descriptors, tell)
        try:
            return protocol.result(await self._run(request.message, call, reader))
        except ConnectionError:
            raise
        except Exception as error:
            return protocol.refusal(_refusal(error, self.machines.host.pool))

    async def _run(self, message: dict[str, Any], call: Call, reader: asyncio.StreamReader) -> Any:
        name = str(message.get("verb"))
        verb = VERBS.get(name)
        if verb is None:
            raise NodeError("UnknownVerb", f"there is no verb {name[:64]!r}")
        if verb.needs_pool:
            host = self.machines.host
            await asyncio.to_thread(pools.ensure, host.settings, host.pool)
        work = verb.run(call, *verb.arguments_of(message))
        return await (work if verb.outlives_caller else requests.until_closed(reader, work))


def _refusal(error: Exception, pool: pools.Pool) -> NodeError:
    """As the caller is told it; what is ours is logged with its traceback."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, (frames.FrameError, Invalid)):
        return NodeError("InvalidRequest", str(error) or "an argument has the wrong form")
    found = explain(error, pool) if isinstance(error, OSError) else None
    if found is not None:
        log.error("a request failed: %s", found)
        return found
    log.error("a request failed", exc_info=error)
    return NodeError("InternalError", str(error) or type(error).__name__)
