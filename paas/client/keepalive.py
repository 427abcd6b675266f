"""Notices that the other side of a connection is gone where nothing is sent for long."""

import socket

_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


def keep_alive(connection: socket.socket) -> None:
    for level, option, value in _KEEPALIVE:
        connection.setsockopt(level, option, value)
