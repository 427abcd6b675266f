"""Connecting to an instance's Unix socket, over which it can hand nothing to this process.

Descriptors may come with bytes over a Unix socket (SCM_RIGHTS). Nobody here takes them, and so the
kernel closes them in the thread that reads: a TCP socket of the instance's that lingers would hold
a worker, with all its visitors, for as long as the instance likes.
"""

import asyncio
import functools
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

SO_PASSRIGHTS: Final = 83
"""socket(7), asm-generic/socket.h. From Linux 6.16 on; before, nobody can refuse descriptors, and
zones are kept from letting sockets linger (`paas.node.zone.bundle.seccomp`)."""


async def connect(protocol: Callable[[], asyncio.BaseProtocol], path: str) -> asyncio.Transport:
    """A protocol of its own on a new connection. Raises OSError as `dial` does.

    `create_unix_connection` takes a socket for its own only after it has told the protocol. One
    that is dropped by then is closed twice, the second time as whatever has its number by now.
    """
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(protocol, dial(path))
    return transport


def dial(path: str) -> socket.socket:
    """A connected socket that does not block. Raises OSError: EAGAIN when the queue is full."""
    dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with suppress(OSError):
            dialled.setsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS, 0)
        dialled.connect(path)
    except BaseException:
        dialled.close()
        raise
    return dialled


@functools.cache
def can_refuse() -> bool:
    """Whether this kernel lets a socket refuse descriptors."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS, 0)
        except OSError:
            return False
    return True
