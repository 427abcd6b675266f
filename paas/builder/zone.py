"""The build zone: a machine that idles while commands are run in it, and streams to and from them.

Commands get their input from a function that writes to a pipe, and give their output (both streams
together) line by line. What is run there, and why, is others' matter.
"""

import asyncio
import codecs
import contextlib
import json
import os
import posixpath
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from paas.node import words
from paas.node.client import ExitStatus, Node
from paas.system import descriptors

OWN_MEMORY_MIB = 2048
"""For the platform's own work."""
PROCESSES_MAX = 2000
QUOTA_GIB = 20
LINE_CHARACTERS_MAX = 2000
TAIL_LINES = 60
_END_REST = '"$@"; code=$?; kill -KILL -1 2>/dev/null; exit $code'
"""kill(2) with -1 spares who calls it and the processes of others. What is left would hold the
output open, for which `runc exec` waits, and change the tree while it becomes an image."""
_LEFTOVER_S = 10.0
"""What a command printed is read for so long after its end, should anything still hold it open."""
_CHUNK_BYTES = 64 * 1024

FOLDER = "/app"
"""Where a commit's tree is, in builds and in instances."""

Write = Callable[[str], Awaitable[None]]
Fill = Callable[[BinaryIO], None]
"""Writes a command's input; it runs in a thread."""


@dataclass(frozen=True)
class Result:
    """`code` is 128 + the signal's number for a command that a signal killed."""

    code: int
    tail: str


@dataclass(frozen=True)
class Zone:
    """A running build machine."""

    node: Node
    uuid: str

    async def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        fill: Fill | None = None,
        write_line: Write | None = None,
        end_rest: bool = False,
        user: str = "app",
        working_directory: str = FOLDER,
    ) -> Result:
        """Run a command to its end; cancelling kills it. Raises NodeError.

        `end_rest`: whatever of the user `app` it leaves running ends with it.
        """
        tail: deque[str] = deque(maxlen=TAIL_LINES)

        async def line(text: str) -> None:
            tail.append(text)
            if write_line is not None:
                await write_line(text)

        async with input_of(fill) as stdin, _output(line) as stdout:
            status = await self.node.exec(
                self.uuid,
                ("sh", "-c", _END_REST, "sh", *command) if end_rest else command,
                stdin=stdin,
                stdout=stdout,
                stderr=stdout,
                environment=environment,
                user=user,
                working_directory=working_directory,
            )
        return Result(_code(status), "\n".join(tail))

    async def copy(self, command: Sequence[str], into: BinaryIO, bytes_max: int) -> bool:
        """A command's output goes into a file of the host, unread. False when it is over the limit
        or the command fails."""
        reading, writing = os.pipe()
        copying = asyncio.create_task(asyncio.to_thread(_copy, reading, into, bytes_max))
        try:
            with open(os.devnull, "r+b") as nothing:  # noqa: ASYNC230, PTH123
                status = await self.node.exec(
                    self.uuid,
                    ("sh", "-c", _END_REST, "sh", *command),
                    stdin=nothing.fileno(),
                    stdout=writing,
                    stderr=nothing.fileno(),
                    user="app",
                    working_directory="/",
                )
        finally:
            os.close(writing)
        return await copying and _code(status) == 0


def at(folder: str) -> str:
    """The path of a folder of the tree."""
    return posixpath.join(FOLDER, folder) if folder else FOLDER


@contextlib.asynccontextmanager
async def running(node: Node, payload: Mapping[str, Any]) -> AsyncIterator[Zone]:
    """The machine of the payload for as long as it is needed; afterwards it is gone."""
    uuid = str(payload["uuid"])
    try:
        await node.create(payload)
        yield Zone(node, uuid)
    finally:
        await asyncio.shield(node.delete(uuid))


def payload(
    *,
    uuid: str,
    image: str,
    stack: str,
    runtimes: Mapping[str, str],
    tags: Mapping[str, str],
    name: str,
    memory_mib: int = OWN_MEMORY_MIB,
) -> dict[str, Any]:
    """The vmadm payload of a build machine: it idles, and is limited beside all instances.
    `runtimes` are images by their places.

    Its first process is root's (without a capability), so that whoever ends all of the user's
    processes spares it.
    """
    metadata = {
        words.COMMAND: json.dumps(["sleep", "infinity"]),
        words.ENVIRONMENT: json.dumps(["PATH=/opt/node/bin:/usr/local/bin:/usr/bin:/bin"]),
        words.FOLDER: "/",
        words.USER: "root",
        words.RESTART_POLICY: "no",
        words.CLASS: words.BUILDS,
        words.STACK: stack,
    }
    metadata |= {words.RUNTIMES[place]: image for place, image in runtimes.items()}
    return {
        "uuid": uuid,
        "brand": "lx",
        "docker": True,
        "kernel_version": "5.10.0",
        "alias": f"{name[:40]}.build-{uuid[:8]}",
        "hostname": "build",
        "image_uuid": image,
        "max_physical_memory": memory_mib,
        "max_swap": memory_mib,
        "max_lwps": PROCESSES_MAX,
        "quota": QUOTA_GIB,
        "tags": dict(tags),
        "internal_metadata": metadata,
    }


@contextlib.asynccontextmanager
async def input_of(fill: Fill | None) -> AsyncIterator[int]:
    """The reading end of a pipe that `fill` writes to, or nothing to read."""
    if fill is None:
        with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123
            yield nothing.fileno()
        return
    reading, writing = os.pipe()
    filling = asyncio.create_task(asyncio.to_thread(_fill, fill, writing))
    try:
        yield reading
    finally:
        # Nobody reads any more: a thread that still writes gets a broken pipe and ends.
        os.close(reading)
        with contextlib.suppress(BrokenPipeError):
            await asyncio.shield(filling)


def _fill(fill: Fill, writing: int) -> None:
    with os.fdopen(writing, "wb", buffering=_CHUNK_BYTES) as stream:
        fill(stream)


@contextlib.asynccontextmanager
async def _output(line: Write) -> AsyncIterator[int]:
    """The writing end of a pipe whose lines go to `line`."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    pumping = asyncio.create_task(_pump(reading, line))
    try:
        try:
            yield writing
        finally:
            os.close(writing)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEFTOVER_S):
                await pumping
    finally:
        pumping.cancel()
        await asyncio.wait({pumping})
        os.close(reading)


async def _pump(reading: int, line: Write) -> None:
    """Lines as they come; a carriage return ends one too, and long ones are cut."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while chunk := await descriptors.read(reading, _CHUNK_BYTES):
        *whole, rest = re.split(r"\r\n|\n|\r", rest + decoder.decode(chunk))
        for text in whole:
            await line(text[:LINE_CHARACTERS_MAX])
        if len(rest) > LINE_CHARACTERS_MAX:
            await line(rest)
            rest = ""
        # A flood has always more: others have their turn.
        await asyncio.sleep(0)
    if rest:
        await line(rest)


def _copy(reading: int, into: BinaryIO, bytes_max: int) -> bool:
    """Whoever still writes when it is enough gets a broken pipe."""
    left = bytes_max
    with os.fdopen(reading, "rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                return False
            into.write(chunk)
    return True


def _code(status: ExitStatus) -> int:
    return status.code if status.signal is None else 128 + status.signal
