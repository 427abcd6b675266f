"""How many connections each address has, so that no visitor takes all that there are.

Counted for an IPv4 address, and for a /64 of IPv6 (the least that one customer is given). Loopback
and trusted proxies stand for many visitors and are not counted.
"""

import ipaddress
import socket
import sys
from collections.abc import Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDS_KNOWN_MAX: Final = 4096
_LOOPBACK_V6: Final = b"::1"


class Visitors:
    """`refused` counts the connections that were turned away since the last report."""

    def __init__(
        self, limit: int, trusted: Sequence[Network] = (), forwarding: Sequence[Network] = ()
    ) -> None:
        self.limit = limit
        self.trusted = tuple(trusted)
        self.forwarding = tuple(forwarding)
        self.refused: dict[bytes, int] = {}
        self._counts: dict[bytes, int] = {}
        self._forwards: dict[bytes, bool] = {}

    def enter(self, address: bytes) -> bool:
        """One connection more from the address; False, and not counted, when it has too many."""
        key = self._key(address)
        if key is None:
            return True
        count = self._counts.get(key, 0)
        if count >= self.limit:
            self._refuse(address)
            return False
        self._counts[key] = count + 1
        return True

    def leave(self, address: bytes) -> None:
        """A connection that had entered is gone."""
        key = self._key(address)
        if key is None:
            return
        left = self._counts[key] - 1
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]

    def is_trusted(self, address: bytes) -> bool:
        return bool(self.trusted) and is_within(address, self.trusted)

    def forwards(self, address: bytes) -> bool:
        """Whether it is a proxy whose X-Forwarded-* and Forwarded are believed."""
        known = self._forwards.get(address)
        if known is None:
            if len(self._forwards) >= FORWARDS_KNOWN_MAX:
                self._forwards.clear()
            known = self._forwards[address] = is_within(address, self.forwarding)
        return known

    def _is_many(self, address: bytes) -> bool:
        """A proxy: its connections are many visitors'."""
        return self.is_trusted(address) or (bool(self.forwarding) and self.forwards(address))

    def report(self) -> None:
        """Tell the operator who was turned away."""
        if self.refused:
            worst = max(self.refused, key=lambda address: self.refused[address])
            print(
                f"paas-router: refused {sum(self.refused.values())} connections from addresses"
                f" that have {self.limit}: most from {worst.decode()}",
                file=sys.stderr,
            )
            self.refused.clear()

    def _key(self, address: bytes) -> bytes | None:
        """What is counted together; None is not counted."""
        if b":" in address:
            if address == _LOOPBACK_V6 or self._is_many(address):
                return None
            return network_of(address)
        if address.startswith(b"127.") or self._is_many(address):
            return None
        return address

    def _refuse(self, address: bytes) -> None:
        if address in self.refused or len(self.refused) < 1000:
            self.refused[address] = self.refused.get(address, 0) + 1


def network_of(address: bytes) -> bytes:
    """The first 64 bits of an IPv6 address; the text itself when it is none."""
    try:
        return socket.inet_pton(socket.AF_INET6, address.decode().partition("%")[0])[:8]
    except OSError:
        return address


def is_within(address: bytes, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.decode())
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def networks(words: Sequence[str]) -> list[Network]:
    """`192.0.2.0/24`, `2001:db8::1`, … Raises ValueError for what is no network."""
    return [ipaddress.ip_network(word) for word in words]
