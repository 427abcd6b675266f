"""Runs inside a zone: what netlink lets it open, read and change, as JSON: errno's names by action.

A change is a whole message with its acknowledgement asked for; `done` is the kernel's yes. With
the word `own` (a network namespace of the host's), the audit log, which is the host's, is left out.
"""

import errno
import json
import socket
import struct
import sys

ROUTE, XFRM, AUDIT, NETFILTER, UEVENT, GENERIC = 0, 6, 9, 12, 15, 16
REQUEST, ACK, CREATE, EXCLUSIVE, DUMP = 1, 4, 0x400, 0x200, 0x300
GETLINK = 18
LOCAL, INET = 2, 2


def attribute(kind, value):
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def address(index, text):
    value = attribute(LOCAL, socket.inet_aton(text))
    return struct.pack("=BBBBI", INET, 32, 0, 0, index) + value


def link(index, flags=0, change=0, extra=b""):
    return struct.pack("=BxHiII", 0, 0, index, flags, change) + extra


def route(text):
    head = struct.pack("=BBBBBBBBI", INET, 32, 0, 0, 254, 4, 253, 1, 0)
    return head + attribute(1, socket.inet_aton(text)) + attribute(4, struct.pack("=I", 1))


def neighbour(index, text):
    head = struct.pack("=BxxxiHBB", INET, index, 0x80, 0, 0)
    return head + attribute(1, socket.inet_aton(text)) + attribute(2, b"\2\0\0\0\0\1")


def rule():
    return struct.pack("=BBBBBBBBI", INET, 0, 0, 0, 254, 0, 0, 1, 0)


DUMMY = attribute(3, b"mine\0") + attribute(18, attribute(1, b"dummy"))
CHANGES = {
    "add an address": (ROUTE, 20, address(1, "10.9.9.9")),
    "remove an address": (ROUTE, 21, address(1, "127.0.0.1")),
    "take an interface down": (ROUTE, 19, link(1, 0, 1)),
    "add an interface": (ROUTE, 16, link(0, 0, 0, DUMMY)),
    "remove an interface": (ROUTE, 17, link(2)),
    "add a route": (ROUTE, 24, route("10.9.9.8")),
    "remove a route": (ROUTE, 25, route("10.9.9.8")),
    "add a neighbour": (ROUTE, 28, neighbour(1, "10.9.9.7")),
    "add a rule": (ROUTE, 32, rule()),
    "add a queue": (ROUTE, 36, struct.pack("=BxxxiIII", 0, 1, 0x10000, 0xFFFFFFFF, 0)
                    + attribute(1, b"pfifo\0")),
    "flush security policies": (XFRM, 0x1D, b""),
    "tell the audit log": (AUDIT, 1005, b"words"),
}  # fmt: skip


def talk(protocol, kind, body, flags):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as channel:
        channel.settimeout(3)
        channel.bind((0, 0))
        channel.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 7, 0) + body)
        return channel.recv(65536)


def attempt(action, *words):
    try:
        answer = action(*words)
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno]
    number = -struct.unpack_from("=i", answer, 16)[0] if isinstance(answer, bytes) else 0
    return errno.errorcode[number] if number else "done"


def change(name):
    protocol, kind, body = CHANGES[name]
    deletes = protocol == ROUTE and kind % 4 == 1
    return attempt(talk, protocol, kind, body, ACK if deletes else ACK | CREATE | EXCLUSIVE)


def interfaces():
    answer, names, at = talk(ROUTE, GETLINK, link(0), DUMP), [], 0
    while at < len(answer):
        length = struct.unpack_from("=I", answer, at)[0]
        place = at + 32
        while place < at + length:
            size, kind = struct.unpack_from("=HH", answer, place)
            if kind == 3:
                names.append(answer[place + 4 : place + size].rstrip(b"\0").decode())
            place += max(size + 3 & ~3, 4)
        at += length + 3 & ~3
    return sorted(names)


def listen_to_all(protocol):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as channel:
        channel.bind((0, 0xFFFFFFFF))


own = sys.argv[1:] == ["own"]
print(
    json.dumps(
        {
            "changes": {name: change(name) for name in CHANGES if not own or "audit" not in name},
            "interfaces": interfaces(),
            "groups": {
                str(number): attempt(listen_to_all, number)
                for number in (AUDIT, NETFILTER)
                if not own
            },
        }
    )
)
