"""A connection to an instance: reads one response at a time, in the framing the visitor can read.

A connection goes back to its instance's pool only after a complete, unambiguous exchange.
"""

import asyncio
import contextlib
import errno
import os
import select
from typing import TYPE_CHECKING, Final, cast

from router.choice import affinity
from router.http import chunks, fieldlines
from router.http import failures as errors
from router.http.failures import BadRequest, BadResponse
from router.http.fieldlines import has_bare_ends
from router.http.response_head import ResponseHead, response_head
from router.traffic import endings, exchange, phases, splice
from router.traffic.plane import Plane
from router.wire import dial

if TYPE_CHECKING:
    from router.choice.instances import Instance
    from router.traffic.client import Client

HEAD, COUNTED, CHUNKED, UNTIL_CLOSE, TUNNEL = range(5)
"""What is due: a head; so many bytes; chunks; bytes until the end; whatever both ends say."""

INTERIMS_MAX: Final = 16
"""1xx before an answer: a hundred in one packet would be a flood, and none is needed twice."""
_NOT_ITS_FAULT: Final = frozenset(
    (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
)
"""Its queue is full, or this process can't have a socket more: to wait is all that helps."""


class Upstream(asyncio.Protocol):
    __slots__ = (
        "buffer",
        "client",
        "decoder",
        "dropped",
        "eof",
        "idle_since",
        "instance",
        "interims",
        "left",
        "memo",
        "memo_text",
        "open",
        "phase",
        "plane",
        "reading",
        "reusable",
        "reused",
        "transfer",
        "transport",
        "writable",
    )

    transport: asyncio.Transport

    def __init__(self, plane: Plane, instance: "Instance") -> None:
        self.plane = plane
        self.instance = instance
        self.client: Client | None = None
        self.phase = HEAD
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
        """Open the connection for the client that waits. A failed attempt is told to it."""
        instance = self.instance
        try:
            if instance.tcp is not None:
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: self, *instance.tcp)
            else:
                await dial.connect(lambda: self, instance.unix)
        except OSError as error:
            client, self.client = self.client, None
            if client is not None:
                busy = error.errno in _NOT_ITS_FAULT
                exchange.connect_failed(client, instance, errors.CONNECTION_REFUSED, busy)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.client is None or self.dropped:
            self.transport.abort()
            return
        self.open = True
        exchange.connected(self.client, self)

    def drop(self) -> None:
        """Never to be used again."""
        self.dropped = True
        self._stop_transfer()
        if self.open:
            self.open = False
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            self.drop()
            return
        phase = self.phase
        if phase == HEAD:
            self._head(client, data)
            return
        client.active = self.plane.now
        if phase == COUNTED:
            self._counted(client, data)
        elif phase == CHUNKED:
            self._chunks(client, data)
        else:
            client.bytes_out += len(data)
            if phase == UNTIL_CLOSE and client.line.minor:
                client.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
            else:
                client.transport.write(data)

    def eof_received(self) -> bool:
        client = self.client
        self.eof = True
        if client is None:
            return False
        if self.phase == UNTIL_CLOSE:
            if client.line.minor:
                client.transport.write(chunks.LAST)
            exchange.finish(client, self, False)
        elif self.phase == TUNNEL and not client.eof and client.transport.can_write_eof():
            client.transport.write_eof()
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.transfer is not None:
            self._stop_transfer()
        elif error is not None and self.client is not None:
            self._salvage()
        client, self.client = self.client, None
        if client is None:
            with contextlib.suppress(ValueError):
                self.instance.idle.remove(self)
        elif self.phase == TUNNEL:
            exchange.tunnel_ended(client)
        elif self.phase == HEAD:
            if self.buffer:
                endings.fail(client, errors.bad_response("it ended within its headers"))
            elif not exchange.again(client, self):
                endings.fail(client, errors.CLOSED_WITHOUT_RESPONSE)
        else:
            endings.fail(client, errors.INTERRUPTED)

    def _salvage(self) -> None:
        """Read what the app said before it hung up on us.

        Writing to an app that refused an upload and closed fails before its answer is read.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while self.client is not None and (data := os.read(descriptor, 65536)):
                self.data_received(data)

    def has_news(self) -> bool:
        """Something of the app's, be it its end, is here and not read yet."""
        if not self.open:
            return True
        look = select.poll()
        descriptor = self.transport.get_extra_info("socket").fileno()
        look.register(descriptor, select.POLLIN | select.POLLRDHUP)
        return bool(look.poll(0))

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.pause_reading()

    def resume_writing(self) -> None:
        if self.client is not None and self.client.phase in (phases.BODY, phases.TUNNEL):
            self.client.active = self.plane.now
            self.client.resume_reading()

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

    def _head(self, client: "Client", data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
            self.buffer = b""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._incomplete(client, data)
            return
        size = end + 4
        text = data[:size]
        head = self.memo
        if head is None or text != self.memo_text:
            try:
                head = response_head(text)
            except BadResponse as error:
                endings.fail(client, errors.bad_response(error.reason))
                return
            self.memo, self.memo_text = head, text
            if client.cookie and head.status >= 200:
                head = affinity.with_cookie(head, client.cookie, client.https)
                client.cookie = b""
        if head.status < 200:
            self._interim(client, head, data[size:])
            return
        client.status = head.status
        client.responding = True
        client.active = self.plane.now
        client.limit = self.instance.rolling_s
        length = head.length
        if head.status == 204 or head.status == 304 or client.line.method == b"HEAD":
            self._bodyless(client, head, len(data) == size)
        elif length >= 0 and client.phase != phases.BODY:
            self._answer(client, head, data, size)
        else:
            self._stream(client, head, data[size:])

    def _answer(self, client: "Client", head: ResponseHead, data: bytes, size: int) -> None:
        """The usual case: a counted body, often here already."""
        body = len(data) - size
        length = head.length
        if body > length:
            data, body, reusable = data[: size + length], length, False
        else:
            reusable = not head.close
        client.bytes_out = body
        if client.line.minor and not client.closing:
            client.transport.write(head.whole + data[size:])
        else:
            end_of_head = head.framing + persistence(client)
            client.transport.write(head.kept + end_of_head + data[size:])
        if body == length:
            exchange.finish(client, self, reusable)
        else:
            self.phase = COUNTED
            self.left = length - body
            self.reusable = reusable
            self._go_on(client)

    def _bodyless(self, client: "Client", head: ResponseHead, clean: bool) -> None:
        """RFC 9112 §6.3: no body whatever the head says. One that comes all the same is dropped."""
        if client.phase == phases.BODY:
            client.closing = True
        framing = b"" if head.status == 204 else head.framing
        client.transport.write(head.kept + framing + persistence(client))
        exchange.finish(client, self, clean and not head.close)

    def _stream(self, client: "Client", head: ResponseHead, rest: bytes) -> None:
        """A body of unknown length, or a response while the request is still coming in."""
        framing = head.framing
        if client.phase == phases.BODY:
            client.closing = True
        if head.length < 0:
            if client.line.minor:
                framing = b"Transfer-Encoding: chunked\r\n"
                if client.fields.trailers:
                    framing += head.trailer
            else:
                client.closing = True
        self.reusable = not head.close
        client.transport.write(head.kept + framing + persistence(client))
        if head.length == fieldlines.CHUNKED:
            self.phase, self.decoder = CHUNKED, chunks.ResponseDecoder()
        elif head.length == fieldlines.UNTIL_CLOSE:
            self.phase = UNTIL_CLOSE
        else:
            self.phase, self.left = COUNTED, head.length
        self._keep_pace(client)
        if rest or (self.phase == COUNTED and not self.left):
            self.data_received(rest)

    def _counted(self, client: "Client", data: bytes) -> None:
        left = self.left - len(data)
        if left < 0:
            data, self.reusable, left = data[: self.left], False, 0
        self.left = left
        client.bytes_out += len(data)
        client.transport.write(data)
        if not left:
            self.phase = HEAD
            exchange.finish(client, self, self.reusable)

    def _chunks(self, client: "Client", data: bytes) -> None:
        decoder = cast(chunks.Decoder, self.decoder)
        try:
            payload = decoder.feed(data)
        except BadRequest as error:
            endings.fail(client, errors.bad_response(error.reason))
            return
        modern = client.line.minor
        if payload:
            client.bytes_out += len(payload)
            if modern:
                client.transport.writelines((b"%x\r\n" % len(payload), payload, b"\r\n"))
            else:
                client.transport.write(payload)
        if decoder.done:
            if modern:
                trailers = decoder.trailers if client.fields.trailers else []
                client.transport.write(chunks.last(trailers))
            self.phase, self.decoder = HEAD, None
            exchange.finish(client, self, self.reusable and not decoder.rest)

    def _interim(self, client: "Client", head: ResponseHead, rest: bytes) -> None:
        """1xx: forwarded as it comes, and never the last word (RFC 9110 §15.2)."""
        if head.status == 101:
            self._switch(client, head, rest)
            return
        self.interims += 1
        if self.interims > INTERIMS_MAX:
            endings.fail(client, errors.bad_response("too many informational responses"))
            return
        if client.line.minor:
            client.transport.write(head.kept + b"\r\n")
        if rest:
            self._head(client, rest)

    def _switch(self, client: "Client", head: ResponseHead, rest: bytes) -> None:
        if not client.fields.upgrade or not head.upgrade:
            reason = "it changes to a protocol that the visitor did not ask for"
            endings.fail(client, errors.bad_response(reason))
            return
        client.status = 101
        client.responding = True
        self.phase = TUNNEL
        self._keep_pace(client)
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % head.upgrade
        client.transport.write(head.kept + upgrade + rest)
        client.bytes_out = len(rest)
        exchange.tunnel(client, self)

    def _go_on(self, client: "Client") -> None:
        """More of a counted body is to come: by way of the kernel when it is much."""
        self.transfer = splice.begin(client, self)
        if self.transfer is None:
            self._keep_pace(client)

    def transferred(self, client: "Client", more: int) -> None:
        """All of the body is with the visitor; `more` bytes came that are no part of it."""
        self.transfer = None
        self.left = 0
        self.phase = HEAD
        self.resume_reading()
        exchange.finish(client, self, self.reusable and not more)

    def interrupted(self, client: "Client") -> None:
        """The app has gone before its body's end."""
        self.transfer = None
        endings.fail(client, errors.INTERRUPTED)

    def _stop_transfer(self) -> None:
        if self.transfer is not None:
            self.transfer.stop()
            self.transfer = None

    def _keep_pace(self, client: "Client") -> None:
        if not client.writable:
            self.pause_reading()

    def _incomplete(self, client: "Client", data: bytes) -> None:
        """A head that is not whole yet; refused as soon as nothing could make it right."""
        if not b"HTTP/1.".startswith(data[:7]):
            reason = "it does not begin with HTTP/1.0 or HTTP/1.1"
        elif has_bare_ends(data):
            reason = "a line ends without CR LF"
        elif len(data) > self.plane.limits.response_head_bytes:
            reason = "the headers are too long"
        else:
            self.buffer = data
            return
        endings.fail(client, errors.bad_response(reason))


def persistence(client: "Client") -> bytes:
    """The end of a response's head: what becomes of the visitor's connection."""
    if client.closing:
        return b"Connection: close\r\n\r\n"
    if not client.line.minor:
        return b"Connection: keep-alive\r\n\r\n"
    return b"\r\n"
