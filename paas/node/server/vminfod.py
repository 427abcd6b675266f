"""vminfod's HTTP on a socket of its own (`<run>/vminfod.sock`, root's alone): machines and changes.

SmartOS's paths: `/ping`, `/status`, `/vms`, `/vms/<uuid>`, and `/events`, lines of JSON for ever,
of which the first is `ready` with all machines. Only GET; a request is a head, an answer closes its
connection.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from paas.node.machines.machine import now
from paas.node.machines.machines import Machines
from paas.node.server.events import Events

log = logging.getLogger(__name__)
_HEAD_BYTES_MAX = 16 * 1024
_HEAD_TIMEOUT_S = 10.0
_ANSWER_TIMEOUT_S = 30.0


class Vminfod:
    """Answers for these machines. `answer` is called for each connection."""

    def __init__(self, machines: Machines, events: Events) -> None:
        self._machines, self._events = machines, events
        self._started_s = time.monotonic()
        self._listeners = 0

    async def answer(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_HEAD_BYTES_MAX)
        try:
            with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_HEAD_TIMEOUT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, reader, writer)
        except asyncio.LimitOverrunError:
            await _send(writer, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "")
        finally:
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or words[0] != "GET" or not words[2].startswith("HTTP/1."):
            return await _send(writer, HTTPStatus.BAD_REQUEST, "")
        parts = [unquote(part) for part in urlsplit(words[1]).path.split("/") if part]
        match parts:
            case ["ping"]:
                await _send(writer, HTTPStatus.OK, json.dumps({"ping": "pong"}))
            case ["status"]:
                await _send(writer, HTTPStatus.OK, json.dumps(self._status()))
            case ["vms"]:
                await _send(writer, HTTPStatus.OK, json.dumps(list(self._machines.list())))
            case ["vms", wanted]:
                await self._one(wanted, writer)
            case ["events"]:
                await self._tell(reader, writer)
            case _:
                await _send(writer, HTTPStatus.NOT_FOUND, "Unsupported URL Path")

    async def _one(self, wanted: str, writer: asyncio.StreamWriter) -> None:
        for vm in self._machines.list():
            if vm["uuid"] == wanted:
                return await _send(writer, HTTPStatus.OK, json.dumps(vm))
        await _send(writer, HTTPStatus.NOT_FOUND, f"VM Not Found: {wanted}")

    def _status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started_s, 3),
            "state": "running",
            "status": "running",
            "numVms": len(self._machines.list()),
            "curDate": now(),
            "eventsListeners": self._listeners,
        }

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the caller goes; one that reads too slowly is hung up on."""
        queue = self._events.subscribe(self._machines.list())
        self._listeners += 1
        gone = asyncio.ensure_future(reader.read(1))
        try:
            writer.write(_head(HTTPStatus.OK, "Transfer-Encoding: chunked"))
            while True:
                coming = asyncio.ensure_future(queue.get())
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    return
                event = coming.result()
                if event is None:
                    return
                if event["type"] == "ready":
                    event = {**event, "uuid": str(uuid.uuid4())}
                line = json.dumps(event).encode() + b"\n"
                writer.write(b"%x\r\n%b\r\n" % (len(line), line))
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    await writer.drain()
        finally:
            gone.cancel()
            self._listeners -= 1
            self._events.unsubscribe(queue)


async def _send(writer: asyncio.StreamWriter, status: HTTPStatus, text: str) -> None:
    body = text.encode()
    writer.write(_head(status, f"Content-Length: {len(body)}") + body)
    async with asyncio.timeout(_ANSWER_TIMEOUT_S):
        await writer.drain()


def _head(status: HTTPStatus, field: str) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        field,
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
