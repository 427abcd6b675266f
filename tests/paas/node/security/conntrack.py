"""The host's table of connections, read through ctnetlink."""

import socket
import struct
from ipaddress import ip_address

NETLINK_NETFILTER, NLM_REQUEST_DUMP, CONNTRACK_GET = 12, 0x301, 0x101
NLMSG_ERROR, NLMSG_DONE = 2, 3


def tracked(address: str) -> int:
    """Connections of an address in the host's table: a dump of its family."""
    found = ip_address(address)
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6
    request = struct.pack("=IHHIIBBH", 20, CONNTRACK_GET, NLM_REQUEST_DUMP, 1, 0, family, 0, 0)
    count = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        channel.settimeout(5)
        channel.send(request)
        while True:
            data = channel.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    assert kind == NLMSG_DONE
                    return count
                count += found.packed in data[:length]
                data = data[(length + 3) & ~3 :]
