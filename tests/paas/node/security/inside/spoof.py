"""Runs inside a capable zone: sends UDP datagrams with made-up source addresses (raw IPv4)."""

import socket
import struct
import sys

target, *sources = sys.argv[1:]
channel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source in sources:
    payload = b"spoof " + source.encode()
    udp = struct.pack("!4H", 1000, 9, 8 + len(payload), 0) + payload
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(udp),
        1,
        0,
        64,
        socket.IPPROTO_UDP,
        0,
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    channel.sendto(header + udp, (target, 9))
print("{}")
