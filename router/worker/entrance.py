"""Where visitors come in: how many at once, which of them, and behind which proxies.

A listener whose visitors speak at once is served by uvloop. On one that speaks TLS, or that proxies
connect to, connections are accepted here: an address that has too many is turned away before a
handshake costs anything, and a PROXY header is read off the socket before TLS begins.

When the worker has as many connections as it may (a setting, and what its descriptors allow) it
accepts no more until some are gone: visitors wait in the socket's queue, where other workers take
them, and nothing spins. Of the handshakes under way the oldest gives way to a new one: an honest
one is done in moments.
"""

import asyncio
import contextlib
import resource
import socket
import struct
from functools import partial
from typing import Final

from router.http import proxyprotocol
from router.memory.limits import Limits
from router.tls import tls
from router.traffic.downstream import Downstream
from router.traffic.visit import WorkerState

BACKLOG: Final = 4096
FLUSH_LIMIT_S: Final = 3600.0
"""For what is still to be written when TLS is closed: sweep and pace judge much sooner."""
ACCEPTS_AT_ONCE: Final = 16
"""So that other workers on the same socket get their part."""
_DISCARD: Final = struct.pack("ii", 1, 0)
_RESERVED_DESCRIPTORS: Final = 192
"""For access logs, the keeper's channel and the like."""


class Entrance:
    def __init__(
        self,
        state: WorkerState,
        front: tls.Front,
        plain: list[socket.socket],
        secure: list[socket.socket],
    ) -> None:
        self._state = state
        self._front = front
        self._secure = secure
        proxied = bool(state.visitors.trusted)
        self._fast = [] if proxied else plain
        self._careful = [*(plain if proxied else ()), *secure]
        self._servers: list[asyncio.Server] = []
        self._is_open = False
        self._closed = False
        state.connections_max = connections_max(state.limits)
        state.admission = self.adjust
        for listener in secure:
            state.secure_port = listener.getsockname()[1]

    async def open(self) -> None:
        self._is_open = True
        loop = asyncio.get_running_loop()
        for listener in (*self._fast, *self._careful):
            _let_go_of_the_silent(listener, self._state.limits.idle_s)
        for listener in self._careful:
            loop.add_reader(listener, self._accept, listener)
        for listener in self._fast:
            arrival = partial(Downstream, self._state, _port(listener))
            server = await loop.create_server(arrival, sock=listener.dup(), backlog=BACKLOG)
            self._servers.append(server)
            if not self._is_open:
                server.close()  # the last visitor came meanwhile

    def close(self) -> None:
        """For good. What is in the sockets' queues is left to others."""
        self._closed = True
        self._shut()

    def adjust(self) -> None:
        """Connections came or went: accept no more, or again."""
        state = self._state
        count = len(state.visits) + len(state.arriving)
        if self._is_open and count >= state.connections_max:
            state.crowded = True
            self._shut()
        elif state.crowded and not self._closed and count <= state.connections_max * 63 // 64:
            state.crowded = False
            state.start_task(self.open())

    def _shut(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        loop = asyncio.get_running_loop()
        for listener in self._careful:
            loop.remove_reader(listener)
        servers, self._servers = self._servers, []
        for server in servers:
            loop.call_soon(server.close)  # never from within its own accepting

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            if not self._is_open:
                return
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor, no memory: when some visitor has gone there is
                self._state.crowded = True
                self._shut()
                return
            connection.setblocking(False)
            self._look(listener, connection, peer[0].removeprefix("::ffff:").encode())

    def _look(self, listener: socket.socket, connection: socket.socket, address: bytes) -> None:
        state = self._state
        secure = listener in self._secure
        if state.visitors.is_trusted(address):
            welcome = self._welcome_proxy(connection, address, secure, _port(listener))
        elif not state.visitors.enter(address):
            reset(connection)
            return
        else:
            welcome = self._welcome(connection, address, secure, _port(listener))
        self._make_room()
        state.arriving[connection] = None
        state.start_task(welcome)
        self.adjust()

    def _make_room(self) -> None:
        arriving = self._state.arriving
        if len(arriving) >= self._state.limits.handshakes:
            oldest = next(iter(arriving))
            del arriving[oldest]
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)

    async def _welcome_proxy(
        self, connection: socket.socket, address: bytes, secure: bool, port: bytes
    ) -> None:
        """Read whom the proxy speaks for; without a header it is not served."""
        try:
            async with asyncio.timeout(self._state.limits.head_s):
                header = await _header(connection)
        except (TimeoutError, OSError, proxyprotocol.ProxyError):
            self._state.arriving.pop(connection, None)
            reset(connection)
            return
        source = header.source or address
        if not self._state.visitors.enter(source):
            self._state.arriving.pop(connection, None)
            reset(connection)
            return
        if header.source:
            port = b"%d" % header.port
        await self._welcome(connection, source, secure, port, https=header.secure)

    async def _welcome(
        self,
        connection: socket.socket,
        source: bytes,
        secure: bool,
        port: bytes,
        *,
        https: bool = False,
    ) -> None:
        """Make a visit of the connection: at once, or when its handshake is done."""
        limits = self._state.limits
        visit = Downstream(self._state, port, secure, source, https)
        try:
            if secure:
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: visit,
                    connection,
                    ssl=self._front.context,
                    ssl_handshake_timeout=limits.head_s,
                    ssl_shutdown_timeout=FLUSH_LIMIT_S,
                )
            else:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: visit, connection)
        except (OSError, RuntimeError, ValueError):
            if getattr(visit, "transport", None) is None:  # it never became a connection of ours
                self._state.visitors.leave(source)
        finally:
            self._state.arriving.pop(connection, None)
            if self._state.crowded:
                self.adjust()


async def _header(connection: socket.socket) -> proxyprotocol.Header:
    """Take a PROXY header, and not a byte more, off the connection."""
    loop = asyncio.get_running_loop()
    data = b""
    while True:
        await _readable(loop, connection)
        try:
            peeked = connection.recv(proxyprotocol.V2_BYTES_MAX, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        if not peeked:
            raise proxyprotocol.ProxyError("closed before its PROXY header")
        header = proxyprotocol.read(data + peeked)
        if header is not None:
            connection.recv(header.size - len(data))
            return header
        data += connection.recv(len(peeked))


async def _readable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(connection)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def reset(connection: socket.socket) -> None:
    """Close so that nothing of the connection stays, in the kernel neither."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
    connection.close()


def connections_max(limits: Limits) -> int:
    """Three quarters of the descriptors that a process may have: the rest lead to instances."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return limits.connections
    return max(1, min(limits.connections, (soft - _RESERVED_DESCRIPTORS) * 3 // 4))


def _let_go_of_the_silent(listener: socket.socket, limit_s: float) -> None:
    """The kernel, too, waits no longer for those who take nothing: also when we have closed.

    Connections have it from their listener (tcp(7), TCP_USER_TIMEOUT).
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2000 * limit_s))


def _port(listener: socket.socket) -> bytes:
    return b"%d" % listener.getsockname()[1]
