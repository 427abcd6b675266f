"""A connection to an instance: reads one response at a time, in the framing the visitor can read.

A connection goes back to its instance's pool only after a complete, unambiguous exchange.
"""

import asyncio
import contextlib
import errno
import os
import select
from enum import Enum
from typing import Final, cast

from router.choice import affinity
from router.choice.instances import Instance
from router.http import chunks
from router.http import failures as errors
from router.http.failures import BadRequest, BadResponse
from router.http.fieldlines import CHUNKED, UNTIL_CLOSE, has_bare_ends
from router.http.response_head import ResponseHead, response_head
from router.traffic import body, phases, splice
from router.traffic.visit import Visit, WorkerState
from router.wire import dial


class Due(Enum):
    """What the app is to send next. Compared with `is`, as phases are."""

    HEAD = "a head"
    BYTES = "so many bytes"
    CHUNKS = "chunks"
    END = "bytes until it closes"
    ANYTHING = "whatever both ends say"


HEAD_DUE: Final = Due.HEAD
BYTES_DUE: Final = Due.BYTES
CHUNKS_DUE: Final = Due.CHUNKS
END_DUE: Final = Due.END
ANYTHING_DUE: Final = Due.ANYTHING

INTERIMS_MAX: Final = 16
"""1xx before an answer: a hundred in one packet would be a flood, and none is needed twice."""
_NOT_ITS_FAULT: Final = frozenset(
    (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
)
"""Its queue is full, or this process can't have a socket more: to wait is all that helps."""


class Upstream(asyncio.Protocol):
    __slots__ = (
        "buffer",
        "decoder",
        "dropped",
        "due",
        "eof",
        "idle_since",
        "instance",
        "interims",
        "left",
        "memo",
        "memo_text",
        "open",
        "reading",
        "reusable",
        "reused",
        "transfer",
        "transport",
        "visit",
        "worker",
    )

    transport: asyncio.Transport

    def __init__(self, worker: WorkerState, instance: Instance) -> None:
        self.worker = worker
        self.instance = instance
        self.visit: Visit | None = None
        self.due = HEAD_DUE
        self.buffer = b""
        self.memo_text = b""
        self.memo: ResponseHead | None = None
        self.decoder: chunks.Decoder | None = None
        self.transfer: splice.Transfer | None = None
        self.left = 0
        self.interims = 0
        self.open = False
        self.eof = False
        self.dropped = False
        self.reused = False
        self.reusable = False
        self.reading = True
        self.idle_since = 0.0

    async def connect(self) -> None:
        """Open the connection for the visit that waits. A failed attempt is told to it."""
        instance = self.instance
        try:
            if instance.tcp is not None:
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: self, *instance.tcp)
            else:
                await dial.connect(lambda: self, instance.unix)
        except OSError as error:
            visit, self.visit = self.visit, None
            if visit is not None:
                busy = error.errno in _NOT_ITS_FAULT
                visit.connect_failed(instance, errors.CONNECTION_REFUSED, busy)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.visit is None or self.dropped:
            self.transport.abort()
            return
        self.open = True
        self.visit.connected(self)

    def drop(self) -> None:
        """Never to be used again."""
        self.dropped = True
        self._stop_transfer()
        if self.open:
            self.open = False
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        visit = self.visit
        if visit is None:
            self.drop()
            return
        due = self.due
        if due is HEAD_DUE:
            self._head(visit, data)
            return
        visit.active = self.worker.now
        if due is BYTES_DUE:
            self._counted(visit, data)
        elif due is CHUNKS_DUE:
            self._chunks(visit, data)
        else:
            visit.bytes_out += len(data)
            if due is END_DUE and visit.line.minor:
                visit.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
            else:
                visit.transport.write(data)

    def eof_received(self) -> bool:
        visit = self.visit
        self.eof = True
        if visit is None:
            return False
        if self.due is END_DUE:
            if visit.line.minor:
                visit.transport.write(chunks.LAST)
            visit.finished(self, False)
        elif self.due is ANYTHING_DUE and not visit.eof and visit.transport.can_write_eof():
            visit.transport.write_eof()
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.transfer is not None:
            self._stop_transfer()
        elif error is not None and self.visit is not None:
            self._salvage()
        visit, self.visit = self.visit, None
        if visit is None:
            with contextlib.suppress(ValueError):
                self.instance.idle.remove(self)
        elif self.due is ANYTHING_DUE:
            visit.tunnel_ended()
        elif self.due is HEAD_DUE:
            if self.buffer:
                visit.failed(errors.bad_response("it ended within its headers"))
            else:
                visit.gone(self)
        else:
            visit.failed(errors.INTERRUPTED)

    def _salvage(self) -> None:
        """Read what the app said before it hung up on us.

        Writing to an app that refused an upload and closed fails before its answer is read.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while self.visit is not None and (data := os.read(descriptor, 65536)):
                self.data_received(data)

    def forget_head(self) -> None:
        self.memo = None

    def has_news(self) -> bool:
        """Something of the app's, be it its end, is here and not read yet."""
        if not self.open:
            return True
        look = select.poll()
        descriptor = self.transport.get_extra_info("socket").fileno()
        look.register(descriptor, select.POLLIN | select.POLLRDHUP)
        return bool(look.poll(0))

    def pause_writing(self) -> None:
        if self.visit is not None:
            body.pause(self.visit)

    def resume_writing(self) -> None:
        if self.visit is not None and self.visit.phase in (phases.BODY, phases.TUNNEL):
            self.visit.active = self.worker.now
            body.resume(self.visit)

    def pause_reading(self) -> None:
        if self.reading and self.open:
            self.reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transfer is not None and self.open:
            if self.transfer.start():
                return
            self.transfer = None
        if not self.reading and self.open:
            self.reading = True
            self.transport.resume_reading()

    def _head(self, visit: Visit, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
            self.buffer = b""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._incomplete(visit, data)
            return
        size = end + 4
        text = data[:size]
        head = self.memo
        if head is None or text != self.memo_text:
            try:
                head = response_head(text)
            except BadResponse as error:
                visit.failed(errors.bad_response(error.reason))
                return
            self.memo, self.memo_text = head, text
            if visit.cookie and head.status >= 200:
                head = affinity.with_cookie(head, visit.cookie, visit.https)
                visit.cookie = b""
        if head.status < 200:
            self._interim(visit, head, data[size:])
            return
        visit.status = head.status
        visit.responding = True
        visit.active = self.worker.now
        visit.limit = self.instance.rolling_s
        length = head.length
        if head.status == 204 or head.status == 304 or visit.line.method == b"HEAD":
            self._bodyless(visit, head, len(data) == size)
        elif length >= 0 and visit.phase is not phases.BODY:
            self._answer(visit, head, data, size)
        else:
            self._stream(visit, head, data[size:])

    def _answer(self, visit: Visit, head: ResponseHead, data: bytes, size: int) -> None:
        """The usual case: a counted body, often here already."""
        body_bytes = len(data) - size
        length = head.length
        if body_bytes > length:
            data, body_bytes, reusable = data[: size + length], length, False
        else:
            reusable = not head.close
        visit.bytes_out = body_bytes
        if visit.line.minor and not visit.closing:
            visit.transport.write(head.whole + data[size:])
        else:
            end_of_head = head.framing + persistence(visit)
            visit.transport.write(head.kept + end_of_head + data[size:])
        if body_bytes == length:
            visit.finished(self, reusable)
        else:
            self.due = BYTES_DUE
            self.left = length - body_bytes
            self.reusable = reusable
            self._go_on(visit)

    def _bodyless(self, visit: Visit, head: ResponseHead, clean: bool) -> None:
        """RFC 9112 §6.3: no body whatever the head says. One that comes all the same is dropped."""
        if visit.phase is phases.BODY:
            visit.closing = True
        framing = b"" if head.status == 204 else head.framing
        visit.transport.write(head.kept + framing + persistence(visit))
        visit.finished(self, clean and not head.close)

    def _stream(self, visit: Visit, head: ResponseHead, rest: bytes) -> None:
        """A body of unknown length, or a response while the request is still coming in."""
        framing = head.framing
        if visit.phase is phases.BODY:
            visit.closing = True
        if head.length < 0:
            if visit.line.minor:
                framing = b"Transfer-Encoding: chunked\r\n"
                if visit.fields.trailers:
                    framing += head.trailer
            else:
                visit.closing = True
        self.reusable = not head.close
        visit.transport.write(head.kept + framing + persistence(visit))
        if head.length == CHUNKED:
            self.due, self.decoder = CHUNKS_DUE, chunks.ResponseDecoder()
        elif head.length == UNTIL_CLOSE:
            self.due = END_DUE
        else:
            self.due, self.left = BYTES_DUE, head.length
        self._keep_pace(visit)
        if rest or (self.due is BYTES_DUE and not self.left):
            self.data_received(rest)

    def _counted(self, visit: Visit, data: bytes) -> None:
        left = self.left - len(data)
        if left < 0:
            data, self.reusable, left = data[: self.left], False, 0
        self.left = left
        visit.bytes_out += len(data)
        visit.transport.write(data)
        if not left:
            self.due = HEAD_DUE
            visit.finished(self, self.reusable)

    def _chunks(self, visit: Visit, data: bytes) -> None:
        decoder = cast(chunks.Decoder, self.decoder)
        try:
            payload = decoder.feed(data)
        except BadRequest as error:
            visit.failed(errors.bad_response(error.reason))
            return
        modern = visit.line.minor
        if payload:
            visit.bytes_out += len(payload)
            if modern:
                visit.transport.writelines((b"%x\r\n" % len(payload), payload, b"\r\n"))
            else:
                visit.transport.write(payload)
        if decoder.done:
            if modern:
                trailers = decoder.trailers if visit.fields.trailers else []
                visit.transport.write(chunks.last(trailers))
            self.due, self.decoder = HEAD_DUE, None
            visit.finished(self, self.reusable and not decoder.rest)

    def _interim(self, visit: Visit, head: ResponseHead, rest: bytes) -> None:
        """1xx: forwarded as it comes, and never the last word (RFC 9110 §15.2)."""
        if head.status == 101:
            self._switch(visit, head, rest)
            return
        self.interims += 1
        if self.interims > INTERIMS_MAX:
            visit.failed(errors.bad_response("too many informational responses"))
            return
        if visit.line.minor:
            visit.transport.write(head.kept + b"\r\n")
        if rest:
            self._head(visit, rest)

    def _switch(self, visit: Visit, head: ResponseHead, rest: bytes) -> None:
        if not visit.fields.upgrade or not head.upgrade:
            reason = "it changes to a protocol that the visitor did not ask for"
            visit.failed(errors.bad_response(reason))
            return
        visit.status = 101
        visit.responding = True
        self.due = ANYTHING_DUE
        self._keep_pace(visit)
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % head.upgrade
        visit.transport.write(head.kept + upgrade + rest)
        visit.bytes_out = len(rest)
        visit.tunnel(self)

    def _go_on(self, visit: Visit) -> None:
        """More of a counted body is to come: by way of the kernel when it is much."""
        self.transfer = splice.begin(visit, self)
        if self.transfer is None:
            self._keep_pace(visit)

    def transferred(self, visit: Visit, more: int) -> None:
        """All of the body is with the visitor; `more` bytes came that are no part of it."""
        self.transfer = None
        self.left = 0
        self.due = HEAD_DUE
        self.resume_reading()
        visit.finished(self, self.reusable and not more)

    def interrupted(self, visit: Visit) -> None:
        """The app has gone before its body's end."""
        self.transfer = None
        visit.failed(errors.INTERRUPTED)

    def _stop_transfer(self) -> None:
        if self.transfer is not None:
            self.transfer.stop()
            self.transfer = None

    def _keep_pace(self, visit: Visit) -> None:
        if not visit.writable:
            self.pause_reading()

    def _incomplete(self, visit: Visit, data: bytes) -> None:
        """A head that is not whole yet; refused as soon as nothing could make it right."""
        if not b"HTTP/1.".startswith(data[:7]):
            reason = "it does not begin with HTTP/1.0 or HTTP/1.1"
        elif has_bare_ends(data):
            reason = "a line ends without CR LF"
        elif len(data) > self.worker.limits.response_head_bytes:
            reason = "the headers are too long"
        else:
            self.buffer = data
            return
        visit.failed(errors.bad_response(reason))


def persistence(visit: Visit) -> bytes:
    """The end of a response's head: what becomes of the visitor's connection."""
    if visit.closing:
        return b"Connection: close\r\n\r\n"
    if not visit.line.minor:
        return b"Connection: keep-alive\r\n\r\n"
    return b"\r\n"
