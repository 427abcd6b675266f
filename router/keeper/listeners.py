"""The keeper's listening sockets: passed to it as sd_listen_fds(3) has it, or opened by itself."""

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

BACKLOG = 4096
TLS_NAME = "https"
"""What LISTEN_FDNAMES calls a socket on which TLS is spoken."""


@dataclass(frozen=True)
class Listeners:
    plain: Sequence[socket.socket] = ()
    secure: Sequence[socket.socket] = ()

    def __bool__(self) -> bool:
        return bool(self.plain or self.secure)


def passed() -> Listeners:
    """LISTEN_FDS sockets from descriptor 3, with names in LISTEN_FDNAMES where there are any."""
    count = int(os.environ.get("LISTEN_FDS") or 0)
    meant_for = os.environ.get("LISTEN_PID")
    if meant_for and int(meant_for) != os.getpid():
        return Listeners()
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    sockets = [socket.socket(fileno=3 + index) for index in range(count)]
    names += [""] * (count - len(names))
    pairs = list(zip(names, sockets, strict=False))
    return Listeners(
        [each for name, each in pairs if name != TLS_NAME],
        [each for name, each in pairs if name == TLS_NAME],
    )


def opened(plain: Sequence[str], secure: Sequence[str]) -> Listeners:
    """`HOST:PORT` each. Ends the process with the reason when one can't be had."""
    return Listeners([_open(each) for each in plain], [_open(each) for each in secure])


def _open(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        sys.exit(f"paas-router: can't listen on {address}: {error.strerror}")
    listener.listen(BACKLOG)
    return listener
