"""The nftables rules of an installation, as text. Pure; `lan` loads them.

From a zone: out to the public internet with the host's address, to the resolvers on port 53, and to
what the operator opened. Not to the host, other zones, private, shared or link-local ranges.
A port may only speak from its own MAC and addresses. `bridged` judges frames, before the host's
bridge and stack look at them; `routed` judges what these let pass. Without an IPv6 network none is
routed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from paas.node import words
from paas.node.network import bridged, routed
from paas.node.network.ranges import Address, Network, family


@dataclass(frozen=True)
class Lan:
    """The zones' side: `ports` is what the names of the interfaces of all zones begin with, `mac`
    the bridge's own."""

    table: str
    bridge: str
    ports: str
    mac: str
    network: IPv4Network
    network6: IPv6Network | None = None

    @property
    def networks(self) -> list[Network]:
        return [self.network, *([self.network6] if self.network6 else [])]


@dataclass(frozen=True)
class Port:
    """A zone's end on the bridge: the host's interface, and who may speak through it."""

    interface: str
    mac: str
    address: IPv4Address
    address6: IPv6Address | None = None
    kind: str = words.MACHINES
    mtu: int | None = None

    @property
    def addresses(self) -> list[Address]:
        return [self.address, *([self.address6] if self.address6 else [])]


@dataclass(frozen=True)
class Opening:
    """Addresses that zones of a class (all when None) may reach in spite of the closed ranges."""

    network: Network
    port: int | None = None
    kind: str | None = None


def rules(lan: Lan, resolvers: Iterable[Address], openings: Sequence[Opening]) -> str:
    """One transaction that puts the installation's tables in place, whatever was there before."""
    versions = [network.version for network in lan.networks]
    allowed = [
        *(line for item in resolvers if item.version in versions for line in _resolver(item)),
        *(_open(item) for item in openings if item.network.version in versions),
    ]
    return _replace("inet", lan.table, routed.table(lan.bridge, lan.networks, allowed)) + _replace(
        "bridge", lan.table, bridged.table(lan.ports, lan.mac, lan.networks)
    )


def admit(table: str, port: Port) -> str:
    """Let a new port speak."""
    return _elements("add", table, port)


def expel(table: str, port: Port) -> str:
    """Forget a port that `admit` let speak."""
    return _elements("delete", table, port)


def remove(table: str) -> str:
    """Take the installation's tables away; fine if they are not there."""
    return "".join(
        f"table {family} {table}\ndelete table {family} {table}\n" for family in ("inet", "bridge")
    )


def _elements(verb: str, table: str, port: Port) -> str:
    text = ""
    for address in port.addresses:
        speaker = f"{port.interface} . {port.mac} . {address}"
        text += f"{verb} element bridge {table} speakers_{family(address)} {{ {speaker} }}\n"
        if port.kind == words.BUILDS:
            text += f"{verb} element inet {table} builds_{family(address)} {{ {address} }}\n"
    return text


def _resolver(address: Address) -> list[str]:
    place = f"{family(address)} daddr {address}"
    return [f"{place} {protocol} dport 53 accept" for protocol in ("udp", "tcp")]


def _open(opening: Opening) -> str:
    header = family(opening.network)
    source = f"{header} saddr @builds_{header} " if opening.kind == words.BUILDS else ""
    port = f" tcp dport {opening.port}" if opening.port else ""
    return f"{source}{header} daddr {opening.network}{port} accept"


def _replace(family: str, table: str, parts: Iterable[str]) -> str:
    """Named before it is deleted, so that it is fine if there was none."""
    place, body = f"{family} {table}", "".join(parts)
    return f"table {place}\ndelete table {place}\ntable {place} {{\n{body}}}\n"
