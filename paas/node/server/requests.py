"""One connection to the node: read a request (with its descriptors), let it be answered."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from paas.node.protocol import REQUEST_BYTES_MAX
from paas.system.descriptors import readable
from router.wire import frames

_INT = struct.Struct("i")
_DESCRIPTORS_MAX = 3
_REQUEST_TIMEOUT_S = 30.0
_CHUNK_BYTES = 256 * 1024


@dataclass
class Request:
    """What was asked. The descriptors are ours and closed by `close`."""

    message: dict[str, Any]
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


async def read(connection: socket.socket) -> Request | None:
    """The request of a fresh connection; None if it closed. Raises FrameError, TimeoutError.

    recvmsg(2), not a stream: asyncio's streams drop descriptors that come with the bytes.
    """
    data, descriptors = b"", list[int]()
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_S):
            while len(data) < frames.HEADER_BYTES or len(data) < _whole(data):
                chunk = await _receive(connection, descriptors)
                if not chunk:
                    _close_all(descriptors)
                    return None
                data += chunk
        return Request(frames.decode(data[frames.HEADER_BYTES :]), descriptors)
    except BaseException:
        _close_all(descriptors)
        raise


async def until_closed(reader: asyncio.StreamReader, work: Awaitable[Any]) -> Any:
    """The result of `work`; cancelled (ConnectionAbortedError) when the peer closes first."""
    task = asyncio.ensure_future(work)
    end = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ConnectionAbortedError("the caller went away")
        return task.result()
    finally:
        end.cancel()
        task.cancel()
        await asyncio.gather(task, end, return_exceptions=True)


def listen(path: os.PathLike[str]) -> socket.socket:
    """A listening socket in place of what an earlier node left; 0600 until the caller widens it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(mask)
    listener.listen(128)
    return listener


async def serve(
    listener: socket.socket, answer: Callable[[socket.socket], Awaitable[None]]
) -> None:
    """Accept for ever; each connection is answered in a task of its own."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    while True:
        connection, _ = await loop.sock_accept(listener)
        connection.setblocking(False)
        task = asyncio.ensure_future(answer(connection))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _whole(data: bytes) -> int:
    return frames.HEADER_BYTES + frames.length(data, REQUEST_BYTES_MAX)


async def _receive(connection: socket.socket, descriptors: list[int]) -> bytes:
    while True:
        try:
            # Not socket.recv_fds: Python 3.11's drops the flags, and every conmon and runc that is
            # started meanwhile would keep the caller's pipes open.
            chunk, ancillary, _, _ = connection.recvmsg(
                _CHUNK_BYTES, socket.CMSG_LEN(_DESCRIPTORS_MAX * _INT.size), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            await readable(connection.fileno())
            continue
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = data[: len(data) - len(data) % _INT.size]
                descriptors += (number for (number,) in _INT.iter_unpack(whole))
        if len(descriptors) > _DESCRIPTORS_MAX:
            raise frames.FrameError(f"more than {_DESCRIPTORS_MAX} descriptors")
        return chunk


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
