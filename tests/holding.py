"""Names that only one test on this host has at a time: networks, ports."""

import socket

_held: list[socket.socket] = []
"""Each keeps its name from other tests as long as this process lives."""


def hold(name: str) -> bool:
    """False when another test has it."""
    holding = socket.socket(socket.AF_UNIX)
    try:
        holding.bind(f"\0paas test {name}")
    except OSError:
        holding.close()
        return False
    _held.append(holding)
    return True
