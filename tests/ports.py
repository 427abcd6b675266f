"""Ports for the servers of tests, of which no two tests at once on this host get the same."""

import random
import socket
from contextlib import suppress
from pathlib import Path

from tests.holding import hold

_TRIES = 2000


def free_port() -> int:
    """Below those that the kernel gives to connections, which could take it before the server."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(_TRIES):
        port = random.SystemRandom().randrange(first // 2, first)
        if _is_free(port) and hold(f"port {port}"):
            return port
    raise AssertionError("no port is free on this host")


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _is_free(port: int) -> bool:
    """On all addresses of both families."""
    with suppress(OSError), socket.create_server(("0.0.0.0", port)):
        if not socket.has_dualstack_ipv6():
            return True
        with socket.create_server(("::", port), family=socket.AF_INET6):
            return True
    return False
