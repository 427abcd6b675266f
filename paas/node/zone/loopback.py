"""Connections to what listens inside a zone, also where it listens on the zone's loopback only.

A socket belongs to the network namespace in which it was made (network_namespaces(7)): one that is
made and connected inside can be used outside. Debuggers, such as Node.js's inspector, listen so.
"""

import asyncio
import errno
import socket
from collections.abc import Sequence

from paas.node.errors import NodeError
from paas.node.network.netlink import in_namespace_of

_CONNECT_TIMEOUT_S = 5.0
_LOOPBACK = ("127.0.0.1", "::1")


async def connect(pid: int, port: int, address: str) -> socket.socket:
    """To a port inside the zone of `pid`, whose own address is `address`. Raises NodeError."""

    def inside() -> socket.socket:
        return _first((*_LOOPBACK, address), port)

    try:
        return await asyncio.to_thread(in_namespace_of, pid, inside, _CONNECT_TIMEOUT_S)
    except TimeoutError as error:
        text = f"port {port} inside did not take a connection in {_CONNECT_TIMEOUT_S:.0f} s"
        raise NodeError("PortRefused", text) from error
    except OSError as error:
        if error.errno not in (errno.ECONNREFUSED, errno.EADDRNOTAVAIL, errno.ENETUNREACH):
            raise
        raise NodeError("PortRefused", f"nothing listens on port {port} inside") from error


def _first(addresses: Sequence[str], port: int) -> socket.socket:
    """The first that takes a connection. Raises what the last of them said."""
    said: OSError = ConnectionRefusedError(errno.ECONNREFUSED, "no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), _CONNECT_TIMEOUT_S / len(addresses))
        except OSError as error:
            said = error
    raise said
