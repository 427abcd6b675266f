"""Large bodies go from the app's socket to the visitor's inside the kernel, by splice(2).

    begin(visit, upstream) → Transfer or None     None: the bytes are copied, as those of small
                                                   bodies are

The bytes pass through a pipe, so this process never sees them: 16 MB cost a quarter of what copying
costs. A transfer works beside uvloop's transports, on descriptors of its own (a transport's may be
closed, and its number given away, before its protocol hears of it). It begins once the visitor's
transport has nothing left to write, so that no byte overtakes another, and while it lasts nothing
else reads from the app or writes to the visitor. At most a pipe's content waits for a slow visitor.

What becomes of the request, at the end of the body or at a cut, is `Upstream`'s matter.
"""

import asyncio
import fcntl
import os
import struct
import termios
from typing import Final, Protocol

from router.choice.instances import Instance
from router.traffic import phases
from router.traffic.pipes import PIPE_BYTES, Pipes
from router.traffic.visit import Visit

TCP_BYTES_MIN: Final = 192 * 1024
UNIX_BYTES_MIN: Final = 2 * 1024 * 1024
"""What remains of a body must be at least so much to be worth a transfer.

A Unix socket's data lie in smaller pieces, each of which the visitor's socket sends by itself; over
a megabyte that costs more than copying saves.
"""
TURN_BYTES: Final = 1024 * 1024
"""After so much at once, others get their turn."""

_FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_NOTHING, _SOURCE, _SINK = range(3)


class Source(Protocol):
    """The connection that a body comes from. It is told how the transfer has ended."""

    transport: asyncio.Transport
    instance: Instance
    left: int

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def transferred(self, visit: Visit, more: int) -> None: ...

    def interrupted(self, visit: Visit) -> None: ...


class Transfer:
    """A body on its way. `left` of its bytes are still to come from the app."""

    __slots__ = (
        "_loop",
        "_pipe",
        "_piped",
        "_pipes",
        "_sink",
        "_soon",
        "_source",
        "_upstream",
        "_visit",
        "_waiting",
        "left",
    )

    def __init__(self, visit: Visit, upstream: Source, pipes: Pipes, pipe: tuple[int, int]) -> None:
        self._visit = visit
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self._pipes = pipes
        self._pipe: tuple[int, int] | None = pipe
        self._piped = 0
        self._source = self._sink = -1
        self._waiting = _NOTHING
        self._soon: asyncio.Handle | None = None
        self.left = upstream.left

    def start(self) -> bool:
        """Begin, when the visitor's transport has nothing left to write. False: it can't be."""
        transport = self._visit.transport
        if self._source >= 0 or transport.get_write_buffer_size():
            return True
        transport.set_write_buffer_limits()
        try:
            self._source = os.dup(_descriptor(self._upstream.transport))
            self._sink = os.dup(_descriptor(transport))
        except OSError:
            self.stop()
            return False
        self._wait_for(_SOURCE)
        return True

    def stop(self) -> None:
        """Give everything back; may be called again."""
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return
        self._wait_for(_NOTHING)
        if self._soon is not None:
            self._soon.cancel()
        for descriptor in (self._source, self._sink):
            if descriptor >= 0:
                os.close(descriptor)
        self._pipes.give(pipe, empty=not self._piped)

    def _turn(self) -> None:
        """Move what can be moved, then wait for the side that is not ready, or for the next turn.

        The next turn comes by itself: after an error of a descriptor, behind which more than a turn
        may wait to be read, uvloop tells of that descriptor no more (libuv's uv__poll_io).
        """
        visit, upstream = self._visit, self._upstream
        self._soon = None
        before = visit.bytes_out
        end = before + TURN_BYTES
        try:
            while visit.bytes_out < end and (self._piped or self._fill()) and self._drain():
                pass
        except EOFError:
            self.stop()
            upstream.interrupted(visit)
            return
        except ConnectionError:
            self.stop()
            visit.transport.abort()
            return
        if visit.bytes_out > before:
            visit.active = visit.worker.now
        visit.writable = not self._piped
        if visit.bytes_out >= end and (self._piped or self.left):
            self._wait_for(_NOTHING)
            self._soon = self._loop.call_soon(self._turn)
        elif self._piped:
            self._wait_for(_SINK)
        elif self.left:
            self._wait_for(_SOURCE)
        else:
            more = _unread(self._source)
            self.stop()
            upstream.transferred(visit, more)

    def _fill(self) -> bool:
        """Take from the app what it has sent. EOFError when it is gone before the body's end."""
        assert self._pipe is not None
        if not self.left:
            return False
        try:
            size = os.splice(self._source, self._pipe[1], min(self.left, PIPE_BYTES), flags=_FLAGS)
        except BlockingIOError:
            return False
        except OSError as error:
            raise EOFError from error
        if not size:
            raise EOFError
        self.left -= size
        self._piped = size
        return True

    def _drain(self) -> bool:
        """Give to the visitor what it takes. ConnectionError when it is gone."""
        assert self._pipe is not None
        try:
            size = os.splice(self._pipe[0], self._sink, self._piped, flags=_FLAGS)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConnectionError from error
        self._piped -= size
        self._visit.bytes_out += size
        return True

    def _wait_for(self, side: int) -> None:
        loop, before = self._loop, self._waiting
        if side == before:
            return
        self._waiting = side
        if before == _SOURCE:
            loop.remove_reader(self._source)
        elif before == _SINK:
            loop.remove_writer(self._sink)
        if side == _SOURCE:
            loop.add_reader(self._source, self._turn)
        elif side == _SINK:
            loop.add_writer(self._sink, self._turn)


def begin(visit: Visit, upstream: Source) -> Transfer | None:
    """A transfer of what is left of the upstream's body; it has stopped the upstream's reading."""
    least = UNIX_BYTES_MIN if upstream.instance.tcp is None else TCP_BYTES_MIN
    if upstream.left < least or visit.secure or visit.phase is not phases.WAIT:
        return None
    pipes = visit.worker.pipes
    pipe = pipes.take()
    if pipe is None:
        return None
    transfer = Transfer(visit, upstream, pipes, pipe)
    upstream.pause_reading()
    visit.transport.set_write_buffer_limits(0)  # resume_writing comes when all is written
    if transfer.start():
        return transfer
    upstream.resume_reading()
    return None


def _descriptor(transport: asyncio.Transport) -> int:
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor


def _unread(descriptor: int) -> int:
    """How many bytes wait in a socket (FIONREAD, tcp(7))."""
    (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"))
    return int(count)
