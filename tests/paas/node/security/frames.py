"""Frames and packets as bytes, honest or not."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
BROADCAST = "ff:ff:ff:ff:ff:ff"
FRAGMENT = 44
MORE = 0x2000


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def frame(target: str, sender: str, kind: int, payload: bytes) -> bytes:
    return mac(target) + mac(sender) + struct.pack("!H", kind) + payload


def arp(sender: str, address: str, target: str, operation: int = 1, hardware: int = 1) -> bytes:
    head = struct.pack("!HHBBH", hardware, ETH_P_IP, 6, 4, operation)
    return head + mac(sender) + _packed(address) + bytes(6) + _packed(target)


def ipv4(
    source: str,
    target: str,
    payload: bytes,
    *,
    protocol: int = socket.IPPROTO_UDP,
    options: bytes = b"",
    fragment: int = 0,
    number: int = 1,
) -> bytes:
    """`fragment` is the field of flags and offset."""
    words = 5 + len(options) // 4
    length = 4 * words + len(payload)
    first = struct.pack("!BBHHHBB", 0x40 + words, 0, length, number, fragment, 64, protocol)
    last = _packed(source) + _packed(target) + options
    return first + struct.pack("!H", checksum(first + last)) + last + payload


def ipv6(source: str, target: str, payload: bytes, *, following: int = socket.IPPROTO_UDP) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), following, 255)
    return head + _packed(source) + _packed(target) + payload


def ip(source: str, target: str, payload: bytes, protocol: int = socket.IPPROTO_UDP) -> bytes:
    if ip_address(source).version == 4:
        return ipv4(source, target, payload, protocol=protocol)
    return ipv6(source, target, payload, following=protocol)


def extension(following: int, kind: int = 0) -> bytes:
    """Eight bytes of a header of options, or of an empty routing header of a type."""
    return struct.pack("!BBBBI", following, 0, kind, 0, 0)


def fragment6(following: int, offset_and_more: int, number: int) -> bytes:
    return struct.pack("!BBHI", following, 0, offset_and_more, number)


def udp(source: str, target: str, payload: bytes, ports: tuple[int, int] = (9, 9)) -> bytes:
    head = struct.pack("!3H", *ports, 8 + len(payload))
    body = head + b"\0\0" + payload
    pseudo = _packed(source) + _packed(target)
    total = checksum(pseudo + struct.pack("!II", len(body), socket.IPPROTO_UDP) + body) or 0xFFFF
    return head + struct.pack("!H", total) + payload


def icmp(kind: int, code: int, payload: bytes) -> bytes:
    head = struct.pack("!BB", kind, code)
    return head + struct.pack("!H", checksum(head + b"\0\0" + payload)) + payload


def icmp6(source: str, target: str, kind: int, payload: bytes) -> bytes:
    body = struct.pack("!BBH", kind, 0, 0) + payload
    pseudo = _packed(source) + _packed(target)
    total = checksum(pseudo + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6) + body)
    return struct.pack("!BBH", kind, 0, total) + payload


def tcp_reset(source: str, target: str, payload: bytes) -> bytes:
    head = struct.pack("!HHIIBBH", 9, 9, 1, 0, 0x50, 0x04, 0)
    tail = b"\0\0" + payload
    pseudo = _packed(source) + _packed(target)
    length = struct.pack("!II", len(head) + 4 + len(payload), socket.IPPROTO_TCP)
    total = checksum(pseudo + length + head + b"\0\0" + tail)
    return head + struct.pack("!H", total) + tail


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(address: str) -> bytes:
    found: IPv4Address | IPv6Address = ip_address(address)
    return found.packed
