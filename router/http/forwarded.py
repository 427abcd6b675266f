"""Whom trusted HTTP proxies speak for: X-Forwarded-*, else Forwarded (RFC 7239). Pure.

    read(fields, peer, trusts) → Said      `peer` is who connected, and is trusted itself

Each proxy writes down who connected to it, behind what it was told. So the list is read from its
end, and the first address that is no trusted proxy's is the visitor's: all before it is the
visitor's own word. Where both kinds of field came, X-Forwarded-* counts: it is what most proxies
write, and Forwarded may be what a visitor sent through one that does not know it.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from router.http.failures import BadRequest
from router.http.request_head import host

_SCHEMES: Final = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}
_PORTS: Final = {b"http": b"80", b"https": b"443"}
_ADDRESS = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)")
_HOST_PORT = re.compile(rb"^(?:\[[^]]*\]|[^:]*):?")
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = rb'"((?:[\t !#-\[\]-~]|\\[\t -~])*)"'
_PAIR = re.compile(rb"[ \t]*(%b)=(?:(%b)|%b)[ \t]*(;|,|$)" % (_TOKEN, _TOKEN, _QUOTED))


class Said(NamedTuple):
    """The visitor's address, and how it came: each of the rest is empty where nobody said it."""

    address: bytes
    scheme: bytes = b""
    host: bytes = b""
    port: bytes = b""


def read(fields: Mapping[bytes, bytes], peer: bytes, trusts: Callable[[bytes], bool]) -> Said:
    """`fields` by their name in lower case. What is malformed in them is taken for not said."""
    if b"forwarded" in fields and not any(name.startswith(b"x-forwarded-") for name in fields):
        return _standard(fields[b"forwarded"], peer, trusts)
    address, hops = _visitor(_members(fields, b"x-forwarded-for"), peer, trusts)
    proto, name, port = (
        _of_hop(_members(fields, b"x-forwarded-" + each), hops)
        for each in (b"proto", b"host", b"port")
    )
    return _said(address, proto, name, port)


def _standard(value: bytes, peer: bytes, trusts: Callable[[bytes], bool]) -> Said:
    elements = _elements(value)
    address, hops = _visitor([each.get(b"for", b"") for each in elements], peer, trusts)
    element = elements[-max(hops, 1)] if elements else {}
    return _said(address, element.get(b"proto", b""), element.get(b"host", b""), b"")


def _said(address: bytes, proto: bytes, name: bytes, port: bytes) -> Said:
    scheme = _SCHEMES.get(proto.lower(), b"")
    try:
        host(name)
    except BadRequest:
        name = b""
    port = _port(port) or _port(_HOST_PORT.sub(b"", name)) or _PORTS.get(scheme, b"")
    return Said(address, scheme, name, port)


def _port(text: bytes) -> bytes:
    return text if len(text) <= 5 and text.isdigit() and 0 < int(text) < 65536 else b""


def _visitor(
    entries: Sequence[bytes], peer: bytes, trusts: Callable[[bytes], bool]
) -> tuple[bytes, int]:
    """Whose request it is, and how many proxies wrote down who came before them."""
    address, hops = peer, 0
    for entry in reversed(entries):
        found = _address(entry)
        if not found:
            break
        address, hops = found, hops + 1
        if not trusts(found):
            break
    return address, hops


def _of_hop(values: Sequence[bytes], hops: int) -> bytes:
    """The word of the proxy that the visitor came to: all may have written theirs, or one did."""
    return values[-min(max(hops, 1), len(values))] if values else b""


def _members(fields: Mapping[bytes, bytes], name: bytes) -> list[bytes]:
    value = fields.get(name)
    return [each.strip(b" \t") for each in value.split(b",")] if value else []


@lru_cache(maxsize=4096)
def _address(entry: bytes) -> bytes:
    """An address in the form that connections' own have, without port; nothing where it is none."""
    match = _ADDRESS.fullmatch(entry)
    if match is None:
        return b""
    try:
        found = ipaddress.ip_address((match[1] or match[2] or match[3]).decode())
    except ValueError:
        return b""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found).encode()


def _elements(value: bytes) -> list[dict[bytes, bytes]]:
    """The hops of a Forwarded field, each by parameter; none where any of it is malformed."""
    elements: list[dict[bytes, bytes]] = [{}]
    at = 0
    while at < len(value):
        match = _PAIR.match(value, at)
        if match is None or match[1].lower() in elements[-1]:
            return []
        quoted = match[3]
        elements[-1][match[1].lower()] = (
            match[2] if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
        )
        if match[4] == b",":
            elements.append({})
        at = match.end()
    return elements
