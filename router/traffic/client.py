"""A visitor's connection: takes requests off it one at a time, and keeps their order.

It passes bodies on and keeps the memory bounded. Heads are read by `intake`; what becomes of a
request is `exchange`'s matter.
"""

import asyncio
from typing import cast

from router.choice.apps import App
from router.choice.instances import Instance
from router.choice.routes import Routes
from router.http import chunks
from router.http.failures import BadRequest, Failure
from router.http.forwarded import Said
from router.http.hop import front, hop
from router.http.request_head import UNREADABLE_FIELDS, UNREADABLE_LINE
from router.traffic import endings, intake
from router.traffic.phases import BODY, CLOSED, HEAD, LINGER, TUNNEL, WAIT
from router.traffic.plane import Plane
from router.traffic.upstream import Upstream


class Client(asyncio.Protocol):
    __slots__ = (
        "active",
        "address",
        "app",
        "block",
        "body_left",
        "buffer",
        "bytes_out",
        "closing",
        "connect_s",
        "cookie",
        "decoder",
        "dyno",
        "eof",
        "failure",
        "fields",
        "forward",
        "forwarded",
        "forwards",
        "front",
        "head",
        "hop",
        "https",
        "instance",
        "limit",
        "line",
        "line_text",
        "moved",
        "phase",
        "plane",
        "proceeding",
        "reading",
        "request_id",
        "requests_left",
        "responding",
        "routes",
        "secure",
        "started",
        "status",
        "swallowed",
        "transport",
        "tried",
        "upstream",
        "visitor",
        "writable",
    )

    transport: asyncio.Transport

    def __init__(
        self,
        plane: Plane,
        port: bytes,
        secure: bool = False,
        address: bytes = b"",
        https: bool = False,
    ) -> None:
        """`address` is who connects, where it was let in already; else its socket's counts.

        `https`: a proxy has said that the visitor speaks TLS with it.
        """
        self.plane = plane
        self.https = secure or https
        self.front = front(port, self.https)
        self.hop = hop(port, self.https)
        self.secure = secure
        self.address = self.visitor = address
        self.forwards = False
        self.forwarded: Said | None = None
        self.phase = HEAD
        self.buffer = b""
        self.line_text = b""
        self.line = UNREADABLE_LINE
        self.block = b""
        self.fields = UNREADABLE_FIELDS
        self.forward = b""
        self.routes: Routes | None = None
        self.app: App | None = None
        self.instance: Instance | None = None
        self.upstream: Upstream | None = None
        self.decoder: chunks.Decoder | None = None
        self.tried: set[Instance] | None = None
        self.moved = False  # means something only where something was tried
        self.failure: Failure | None = None
        self.body_left = 0
        self.request_id = b""
        self.dyno = b""
        self.head = b""
        self.cookie = b""
        self.started = 0.0
        self.connect_s = 0.0
        self.status = 0
        self.bytes_out = 0
        self.swallowed = 0
        self.requests_left = plane.limits.requests_per_connection
        self.closing = False
        self.responding = False
        self.proceeding = False
        self.eof = False
        self.reading = True
        self.writable = True
        self.active = plane.now
        self.limit = plane.limits.head_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        plane = self.plane
        if not self.address and not self._enter():
            self.phase = CLOSED
            self.transport.abort()
            return
        self.visitor = self.address
        if plane.visitors.forwarding:
            self.forwards = plane.visitors.forwards(self.address)
        plane.clients.add(self)
        if len(plane.clients) >= plane.connections_max:
            plane.admission()

    def _enter(self) -> bool:
        peer = self.transport.get_extra_info("peername") or ("-", 0)
        address = peer[0] if isinstance(peer, tuple) else "-"
        self.address = address.removeprefix("::ffff:").encode()
        return self.plane.visitors.enter(self.address)

    def data_received(self, data: bytes) -> None:
        phase = self.phase
        if phase == HEAD and self.writable:
            if self.buffer:
                data = self.buffer + data
                self.buffer = b""
            intake.take(self, data)
            if self.buffer and self.phase == HEAD and b"\r\n\r\n" in self.buffer:
                self.proceed()
        elif phase == BODY:
            self.active = self.plane.now
            if self.upstream is not None and self.upstream.open:
                self._body(data)
            else:
                self._hold(data)
        elif phase == TUNNEL:
            self.active = self.plane.now
            if self.upstream is not None:
                self.upstream.transport.write(data)
        elif phase == LINGER:
            self.swallowed += len(data)
            if self.swallowed > self.plane.limits.linger_bytes:
                self.transport.abort()
        else:
            self._hold(data)

    def eof_received(self) -> bool:
        """The visitor has sent all it will send; a response that is due is still delivered.

        Except over TLS, where its last word closes the connection (uvloop knows no half of it).
        """
        self.eof = True
        if self.secure:
            return False
        if self.phase == WAIT:
            return True
        if self.phase == TUNNEL and self.upstream is not None:
            if self.upstream.eof:
                return False
            self.upstream.transport.write_eof()
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        phase, self.phase = self.phase, CLOSED
        plane = self.plane
        if phase != CLOSED:
            plane.clients.discard(self)
            plane.visitors.leave(self.address)
            if plane.crowded:
                plane.admission()
        if phase in (BODY, WAIT, TUNNEL):
            endings.client_gone(self, tunnel=phase == TUNNEL)
        self.app = self.routes = None

    def pause_writing(self) -> None:
        """An answer that has not begun is waited for all the same: its time limit runs."""
        self.writable = False
        if self.upstream is not None and self.responding:
            self.upstream.pause_reading()

    def resume_writing(self) -> None:
        self.writable = True
        self.active = self.plane.now
        if self.upstream is not None:
            self.upstream.resume_reading()
        if self.phase == HEAD:
            self.resume_reading()
            self.proceed()

    def pause_reading(self) -> None:
        if self.reading and self.phase != CLOSED:
            self.reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.reading and self.phase != CLOSED:
            self.reading = True
            self.transport.resume_reading()

    def proceed(self) -> None:
        """Take the requests that came while another was served. Never recurses.

        Not for a visitor that does not take its answers: they would wait in memory.
        """
        if self.proceeding:
            return
        self.proceeding = True
        while self.phase == HEAD and self.buffer and self.writable:
            data, self.buffer = self.buffer, b""
            intake.take(self, data)
            if self.phase == HEAD and b"\r\n\r\n" not in self.buffer:
                break
        self.proceeding = False

    def flow(self) -> None:
        """The app's connection is open: what was held of the body goes out, and reading goes on."""
        if self.phase == BODY:
            held, self.buffer = self.buffer, b""
            if held:
                self._body(held)
        if self.phase == BODY:
            self.resume_reading()

    def forget(self) -> None:
        """Drop what was remembered of the last head."""
        if self.phase == HEAD and self.block:
            self.line_text = self.block = self.forward = self.head = b""
            self.line, self.fields, self.routes = UNREADABLE_LINE, UNREADABLE_FIELDS, None

    def leave(self) -> None:
        """The worker ends: nothing is lost by closing between two requests."""
        if self.phase == HEAD and not self.buffer:
            self.phase = LINGER
            self.transport.close()

    def settled(self) -> None:
        """The response is out: wait for the next request, or end the connection the gentle way."""
        if self.phase == BODY:
            self._linger()
        elif self.closing or (self.eof and b"\r\n\r\n" not in self.buffer):
            if self.buffer and not self.eof:
                self._linger()
            else:
                self.phase = LINGER
                self.limit, self.active = self.plane.limits.linger_s, self.plane.now
                self.transport.close()
        else:
            self.phase = HEAD
            self.limit, self.active = self.plane.limits.keep_alive_s, self.plane.now
            if not self.reading:
                self.resume_reading()
            if self.buffer:
                self.proceed()

    def _body(self, data: bytes) -> None:
        """Part of the request's body goes to the app; what follows the body stays in the buffer."""
        upstream = cast(Upstream, self.upstream)
        decoder = self.decoder
        if decoder is None:
            left = self.body_left
            if len(data) < left:
                self.body_left = left - len(data)
                upstream.transport.write(data)
                return
            upstream.transport.write(data[:left] if len(data) > left else data)
            self._whole(data[left:])
            return
        try:
            payload = decoder.feed(data)
        except BadRequest as error:
            endings.broken_body(self, error)
            return
        if payload:
            upstream.transport.writelines((b"%x\r\n" % len(payload), payload, b"\r\n"))
        if decoder.done:
            upstream.transport.write(chunks.last(decoder.trailers))
            self.decoder = None
            self._whole(decoder.rest)

    def _whole(self, rest: bytes) -> None:
        """The request is complete."""
        self.phase = WAIT
        self.active = self.plane.now
        if not self.responding:
            self.limit = cast(Upstream, self.upstream).instance.first_byte_s
        if rest:
            self._hold(rest)

    def _hold(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > self.plane.limits.held_bytes:
            self.pause_reading()

    def _linger(self) -> None:
        """RFC 9112 §9.6: close our half, and read on for a while, or a reset eats the response."""
        self.phase = LINGER
        self.buffer = b""
        self.decoder = None
        self.limit, self.active = self.plane.limits.linger_s, self.plane.now
        self.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS: it says goodbye, and reads on until the visitor does
