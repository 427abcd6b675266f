"""The addresses at which visitors may reach this host: what a domain's records have to name."""

import ipaddress
import socket

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Nobody's (RFC 5737, RFC 3849): the kernel says from where it would send; nothing is sent."""


def outward() -> list[str]:
    """IPv4 first; IPv6 only where it is global. Behind NAT these are not the public ones."""
    found = [address for family, other in _ELSEWHERE if (address := _source(family, other))]
    return [address for address in found if "." in address or is_public(address)]


def is_public(address: str) -> bool:
    return ipaddress.ip_address(address).is_global


def _source(family: socket.AddressFamily, other: str) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as item:
            item.connect((other, 9))
            return str(item.getsockname()[0])
    except OSError:
        return None
