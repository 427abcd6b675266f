"""Runs in a zone: fills sockets of its own that nobody reads (`tcp` or `udp`).

Says at its end how many bytes the kernel took and held for them.
"""

import socket
import sys

PAIRS = 60
ROUNDS = 40
BUFFER_BYTES = 1 << 20
PIECE_BYTES = 60_000


def tcp():
    server = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(server.getsockname())
    return sender, server.accept()[0]


def udp():
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(("127.0.0.1", 0))
    sender.connect(receiver.getsockname())
    return sender, receiver


def fill(sender):
    for _ in range(ROUNDS):
        try:
            sender.send(bytes(PIECE_BYTES))
        except OSError:
            return


def waiting_bytes(receiver):
    found = 0
    receiver.settimeout(5 if receiver.type == socket.SOCK_STREAM else 0)
    try:
        while piece := receiver.recv(PIECE_BYTES):
            found += len(piece)
    except OSError:
        return found
    return found


pairs = [{"tcp": tcp, "udp": udp}[sys.argv[1]]() for _ in range(PAIRS)]
for sender, receiver in pairs:
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    sender.setblocking(False)
    fill(sender)
for sender, _ in pairs:
    sender.close()
print(sum(waiting_bytes(receiver) for _, receiver in pairs))
