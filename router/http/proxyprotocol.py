"""PROXY protocol, versions 1 and 2: who the visitor is whom a proxy in front speaks for. Pure.

    read(data) → Header | None      None: the header is not whole yet, and all of `data` is of it

Strict, as https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt has it; of what follows the
addresses in version 2 (TLVs) only whether the visitor speaks TLS is read. A proxy that speaks for
itself (LOCAL, UNKNOWN) gives no source: then the connection's own address counts.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
V1_BYTES_MAX: Final = 107
"""With its CR LF."""
V2_BYTES_MAX: Final = 16 + 4096
"""Addresses of 216 bytes at most, and room for TLVs; the format could say 65,535."""
_V1: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [ -~]*)?"
    rb"|(TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (\d{1,5}) (\d{1,5}))\r\n"
)
_LOCAL, _PROXY = 0x20, 0x21
_TYPE_SSL: Final = 0x20
_SSL_BYTES_MIN: Final = 5
"""Flags, and a word of 32 bits that says whether the visitor's certificate was good."""
_CLIENT_SSL: Final = 0x01
_ADDRESSES: Final = {0x11: 4, 0x21: 16}
"""Family and transport → how long an address is. Both are TCP: nothing else can be HTTP/1.1."""
_OTHER_FAMILIES: Final = {0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}
"""Whose addresses are no visitor's, and how many bytes they take."""


class ProxyError(Exception):
    """What came is no PROXY header."""


@dataclass(frozen=True, slots=True)
class Header:
    """`size` is its length in bytes. `source` is empty where the proxy speaks for itself; `port`
    is the one that the visitor connected to; `secure`: over TLS, which ends at the proxy."""

    size: int
    source: bytes = b""
    port: int = 0
    secure: bool = False


def read(data: bytes) -> Header | None:
    """Raises ProxyError as soon as nothing could make a header of it."""
    if data.startswith(SIGNATURE[: len(data)]):
        return _version_2(data) if len(data) >= 16 else None
    if data.startswith(b"PROXY "[: len(data)]):
        return _version_1(data)
    raise ProxyError("no PROXY header")


def _version_1(data: bytes) -> Header | None:
    end = data.find(b"\n", 0, V1_BYTES_MAX) + 1
    if not end:
        if len(data) >= V1_BYTES_MAX:
            raise ProxyError("a PROXY line without end")
        return None
    match = _V1.fullmatch(data[:end])
    if match is None:
        raise ProxyError("a malformed PROXY line")
    family, source, destination, *ports = match.groups()
    if family is None:
        return Header(end)
    version = 4 if family == b"TCP4" else 6
    _written(destination, version)
    return Header(end, _written(source, version), [_port(each) for each in ports][1])


def _version_2(data: bytes) -> Header | None:
    command, family = data[12], data[13]
    size = 16 + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyError("a PROXY header of unknown version or command")
    if size > V2_BYTES_MAX:
        raise ProxyError("a PROXY header that is too long")
    length = _ADDRESSES.get(family, 0)
    if command == _PROXY:
        if not length and family not in _OTHER_FAMILIES:
            raise ProxyError("a PROXY header of unknown family")
        if size < 16 + (2 * length + 4 if length else _OTHER_FAMILIES[family]):
            raise ProxyError("a PROXY header without its addresses")
    if len(data) < size:
        return None
    if command == _LOCAL or not length:
        return Header(size)
    source = _text(ipaddress.ip_address(data[16 : 16 + length]))
    at = 16 + 2 * length + 2
    port = int.from_bytes(data[at : at + 2], "big")
    return Header(size, source, port, _speaks_tls(data[at + 2 : size]))


def _speaks_tls(tlvs: bytes) -> bool:
    """PP2_TYPE_SSL with PP2_CLIENT_SSL. TLVs that make no sense say nothing."""
    at = 0
    while at + 3 <= len(tlvs):
        kind, length = tlvs[at], int.from_bytes(tlvs[at + 1 : at + 3], "big")
        value = tlvs[at + 3 : at + 3 + length]
        if len(value) < length:
            return False
        if kind == _TYPE_SSL:
            return length >= _SSL_BYTES_MIN and bool(value[0] & _CLIENT_SSL)
        at += 3 + length
    return False


def _written(text: bytes, version: int) -> bytes:
    try:
        address = ipaddress.ip_address(text.decode())
    except ValueError:
        raise ProxyError("a PROXY line whose address is none") from None
    if address.version != version:
        raise ProxyError("a PROXY line whose address is of the other family")
    return _text(address)


def _text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """As the connections' own addresses are written: IPv4 also where it came mapped into IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address).encode()


def _port(digits: bytes) -> int:
    if (len(digits) > 1 and digits.startswith(b"0")) or int(digits) > 65535:
        raise ProxyError("a PROXY line whose port is none")
    return int(digits)
