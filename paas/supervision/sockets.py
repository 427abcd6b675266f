"""The router's public listening sockets: opened once, by root, and inherited by every keeper."""

import errno
import socket
from pathlib import Path

from paas.errors import UserError

BACKLOG = 4096


def public(port: int, setting: str = "PAAS_ROUTER_PORT") -> list[socket.socket]:
    """Listen on all addresses, IPv4 and IPv6. UserError names the process that has the port, and
    the setting that changes it."""
    listening = [_listen(socket.AF_INET, "0.0.0.0", port, setting)]
    if socket.has_dualstack_ipv6():
        try:
            listening.append(_listen(socket.AF_INET6, "::", port, setting))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    return listening


def check_free(port: int, setting: str) -> None:
    """Raises UserError when somebody listens on loopback at `port`, which `setting` chooses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as item:
        item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            item.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _taken(port, setting) from error
            raise


def _listen(family: socket.AddressFamily, address: str, port: int, setting: str) -> socket.socket:
    item = socket.socket(family, socket.SOCK_STREAM)
    item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        item.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        item.bind((address, port))
    except OSError as error:
        item.close()
        if error.errno == errno.EADDRINUSE:
            raise _taken(port, setting) from error
        raise
    item.listen(BACKLOG)
    return item


def _taken(port: int, setting: str) -> UserError:
    who = holder(port)
    return UserError(
        "port_taken",
        f"port {port} is taken" + (f" by {who}" if who else ""),
        f"Stop that process, or choose another port: {setting}={port + 10} paas up",
    )


def holder(port: int) -> str:
    """`nginx (process 123)` for the process that listens on `port`, or an empty text."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = link.readlink().name
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            process = link.parent.parent
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    """Inodes of TCP sockets in state LISTEN (0A) on `port`: proc(5), /proc/net/tcp."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A":
                inodes.add(fields[9])
    return inodes
