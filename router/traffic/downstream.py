"""A visitor's connection: hears what comes off it, and keeps the order of its requests.

Heads are read by `intake`, which has `request` begin the request; a body goes on by way of `body`.
What becomes of it then, the connection to the instance tells.
"""

import asyncio
from typing import cast

from router.traffic import body, endings, intake, request, retries
from router.traffic.phases import BODY, CLOSED, HEAD, LINGER, TUNNEL, WAIT
from router.traffic.visit import Visit


class Downstream(Visit, asyncio.Protocol):
    __slots__ = ()

    connected = request.connected
    connect_failed = retries.connect_failed
    finished = request.finish
    gone = retries.gone
    failed = endings.fail
    tunnel = request.tunnel
    tunnel_ended = request.tunnel_ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        worker = self.worker
        if not self.address and not self._enter():
            self.phase = CLOSED
            self.transport.abort()
            return
        self.visitor = self.address
        if worker.visitors.forwarding:
            self.forwards = worker.visitors.forwards(self.address)
        worker.visits.add(self)
        if len(worker.visits) >= worker.connections_max:
            worker.admission()

    def _enter(self) -> bool:
        peer = self.transport.get_extra_info("peername") or ("-", 0)
        address = peer[0] if isinstance(peer, tuple) else "-"
        self.address = address.removeprefix("::ffff:").encode()
        return self.worker.visitors.enter(self.address)

    def data_received(self, data: bytes) -> None:
        phase = self.phase
        if phase is HEAD and self.writable:
            if self.buffer:
                data = self.buffer + data
                self.buffer = b""
            intake.take(self, data)
            if self.buffer and self.phase is HEAD and b"\r\n\r\n" in self.buffer:
                self._proceed()
        elif phase is BODY:
            self.active = self.worker.now
            upstream = self.upstream
            if upstream is not None and upstream.open:
                body.forward(self, upstream, data)
            else:
                body.hold(self, data)
        elif phase is TUNNEL:
            self.active = self.worker.now
            if self.upstream is not None:
                self.upstream.transport.write(data)
        elif phase is LINGER:
            self.swallowed += len(data)
            if self.swallowed > self.worker.limits.linger_bytes:
                self.transport.abort()
        else:
            body.hold(self, data)

    def eof_received(self) -> bool:
        """The visitor has sent all it will send; a response that is due is still delivered.

        Except over TLS, where its last word closes the connection (uvloop knows no half of it).
        """
        self.eof = True
        if self.secure:
            return False
        if self.phase is WAIT:
            return True
        if self.phase is TUNNEL and self.upstream is not None:
            if self.upstream.eof:
                return False
            self.upstream.transport.write_eof()
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        phase, self.phase = self.phase, CLOSED
        worker = self.worker
        if phase is not CLOSED:
            worker.visits.discard(self)
            worker.visitors.leave(self.address)
            if worker.crowded:
                worker.admission()
        if phase in (BODY, WAIT, TUNNEL):
            endings.visitor_gone(self, tunnel=phase is TUNNEL)
        self.app = self.routes = None

    def pause_writing(self) -> None:
        """An answer that has not begun is waited for all the same: its time limit runs."""
        self.writable = False
        if self.upstream is not None and self.responding:
            self.upstream.pause_reading()

    def resume_writing(self) -> None:
        self.writable = True
        self.active = self.worker.now
        if self.upstream is not None:
            self.upstream.resume_reading()
        if self.phase is HEAD:
            body.resume(self)
            self._proceed()

    def settled(self) -> None:
        if self.phase is BODY:
            self._linger()
        elif self.closing or (self.eof and b"\r\n\r\n" not in self.buffer):
            if self.buffer and not self.eof:
                self._linger()
            else:
                self.phase = LINGER
                self.limit, self.active = self.worker.limits.linger_s, self.worker.now
                self.transport.close()
        else:
            self.phase = HEAD
            self.limit, self.active = self.worker.limits.keep_alive_s, self.worker.now
            if not self.reading:
                body.resume(self)
            if self.buffer:
                self._proceed()

    def _proceed(self) -> None:
        """Take the requests that came while another was served. Never recurses.

        Not for a visitor that does not take its answers: they would wait in memory.
        """
        if self.proceeding:
            return
        self.proceeding = True
        while self.phase is HEAD and self.buffer and self.writable:
            data, self.buffer = self.buffer, b""
            intake.take(self, data)
            if self.phase is HEAD and b"\r\n\r\n" not in self.buffer:
                break
        self.proceeding = False

    def _linger(self) -> None:
        """RFC 9112 §9.6: close our half, and read on for a while, or a reset eats the response."""
        self.phase = LINGER
        self.buffer = b""
        self.decoder = None
        self.limit, self.active = self.worker.limits.linger_s, self.worker.now
        body.resume(self)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS: it says goodbye, and reads on until the visitor does
