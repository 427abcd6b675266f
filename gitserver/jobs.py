"""Runs work on hostile bytes in child processes, each with limits of its own (the caller's side).

One warm process (`gitserver.jobserver`) has everything imported and forks a child a job, so that a
job costs a few milliseconds and not the start of an interpreter. The job's socket is the child's
only line: a frame with the request goes in, frames of output and one of the result come out. A
caller that closes it (a client that has gone) ends the child.
"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

OUTPUT = b"o"
RESULT = b"r"
FAILURE = b"f"
HEADER = struct.Struct(">cI")
_HERE = str(Path(__file__).parent.parent)
"""The child must be of the same code, wherever it is."""
_ANSWER_BYTES_MAX = 64 * 1024 * 1024


class JobFailed(Exception):
    """The bytes were bad: the message is for the person who sent them."""


class JobDied(Exception):
    """The child ended without an answer: a limit of memory or time, or a defect of ours."""


class Jobs:
    """Starts jobs; restarts the warm process when it has died.

    `at_once`: how many of each kind of job run at a time; others wait.
    """

    def __init__(self, at_once: Mapping[str, int]) -> None:
        self._slots = {kind: asyncio.Semaphore(count) for kind, count in at_once.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                await asyncio.to_thread(self._start)

    async def aclose(self) -> None:
        """End of its line is the end of the warm process; jobs under way end with their sockets."""
        process, self._process = self._process, None
        if self._line is not None:
            self._line.close()
        if process is not None:
            await asyncio.to_thread(_end, process)

    @asynccontextmanager
    async def job(self, request: dict[str, Any], payload: bytes = b"") -> AsyncIterator["Job"]:
        """Runs `request` (see gitserver.jobserver) until the context is left."""
        async with self._slots[request["job"]]:
            await self.start()
            async with self._running(request, payload) as job:
                yield job

    @asynccontextmanager
    async def _running(self, request: dict[str, Any], payload: bytes) -> AsyncIterator["Job"]:
        ours, theirs = socket.socketpair()
        try:
            await asyncio.to_thread(self._hand_over, theirs)
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            body = json.dumps(request).encode()
            writer.write(HEADER.pack(RESULT, len(body)) + body)
            writer.write(HEADER.pack(OUTPUT, len(payload)) + payload)
            yield Job(reader)
        finally:
            writer.close()

    def _start(self) -> None:
        if self._line is not None:
            self._line.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gitserver.jobserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # The owner's environment may hold secrets, and jobs read hostile bytes.
                env={
                    "PATH": os.defpath,
                    "LC_ALL": "C.UTF-8",
                    "HOME": "/nonexistent",
                    "PYTHONPATH": os.pathsep.join([_HERE, *filter(None, sys.path)]),
                },
            )
        ours.settimeout(10)
        self._line = ours

    def _hand_over(self, theirs: socket.socket) -> None:
        try:
            assert self._line is not None
            socket.send_fds(self._line, [b"j"], [theirs.fileno()])
        except OSError:
            self._start()
            assert self._line is not None
            socket.send_fds(self._line, [b"j"], [theirs.fileno()])


class Job:
    """A job under way."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.result: Any = None

    async def output(self) -> AsyncIterator[bytes]:
        """What the job writes, as it comes; afterwards `result` is there.

        Raises JobFailed with the job's own words, JobDied when it ended without any.
        """
        while True:
            kind, body = await self._frame()
            if kind == OUTPUT:
                yield body
            elif kind == FAILURE:
                raise JobFailed(body.decode())
            else:
                self.result = json.loads(body)
                return

    async def wait(self) -> Any:
        """The result of a job whose output does not matter."""
        async for _ in self.output():
            pass
        return self.result

    async def _frame(self) -> tuple[bytes, bytes]:
        try:
            kind, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            if length > _ANSWER_BYTES_MAX:
                raise JobDied(f"a frame of {length} bytes")
            return kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise JobDied("it ended without an answer (too much work for one push?)") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=5)
