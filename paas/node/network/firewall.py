"""The nftables rules of an installation, as text. Pure; `network.host` loads them.

From a zone: out to the public internet with the host's address, to the resolvers on port 53, and to
what the operator opened. Not to the host, other zones, private, shared or link-local ranges.
A port may only speak from its own MAC and address. IPv6 stays inside the zone: none is routed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

FLOWS_MAX = 4096
"""Connections that a zone may have open through the host, whose table of them (nf_conntrack_max) is
one for all."""

CLOSED_RANGES = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
    )
)


@dataclass(frozen=True)
class Port:
    """A zone's end on the bridge: the host's interface, and who may speak through it."""

    interface: str
    mac: str
    address: IPv4Address
    kind: str = "machines"


@dataclass(frozen=True)
class Opening:
    """Addresses that zones of a class (all when None) may reach in spite of the closed ranges."""

    network: IPv4Network
    port: int | None = None
    kind: str | None = None


def rules(
    table: str,
    bridge: str,
    ports: str,
    network: IPv4Network,
    resolvers: Iterable[IPv4Address],
    openings: Sequence[Opening],
) -> str:
    """One transaction that puts the installation's tables in place, whatever was there before.

    `ports` is what the names of the interfaces of all zones begin with.
    """
    allowed = [
        *(line for address in resolvers for line in _resolver(address)),
        *(_open(opening) for opening in openings),
    ]
    routed = [
        "  set builds { type ipv4_addr; }\n",
        "  set flows { type ipv4_addr; size 65535; flags dynamic; }\n",
        _input(bridge),
        _forward(bridge, allowed),
        _chain("output", "type filter hook output priority -10; policy accept;"),
        _postrouting(bridge, network),
    ]
    bridged = [
        "  map owners { type ifname : ether_addr; }\n",
        "  set speakers { type ifname . ether_addr . ipv4_addr; }\n",
        _bridge_input(ports, network.network_address + 1),
        _bridge_forward(ports),
        _spoofing(),
    ]
    return _replace("inet", table, routed) + _replace("bridge", table, bridged)


def admit(table: str, port: Port) -> str:
    """Let a new port speak."""
    speaker = f"{port.interface} . {port.mac} . {port.address}"
    text = f"add element bridge {table} speakers {{ {speaker} }}\n"
    if port.kind == "builds":
        text += f"add element inet {table} builds {{ {port.address} }}\n"
    return text


def expel(table: str, port: Port) -> str:
    """Forget a port that `admit` let speak."""
    speaker = f"{port.interface} . {port.mac} . {port.address}"
    text = f"delete element bridge {table} speakers {{ {speaker} }}\n"
    if port.kind == "builds":
        text += f"delete element inet {table} builds {{ {port.address} }}\n"
    return text


def remove(table: str) -> str:
    """Take the installation's tables away; fine if they are not there."""
    return "".join(
        f"table {family} {table}\ndelete table {family} {table}\n" for family in ("inet", "bridge")
    )


def _input(bridge: str) -> str:
    """To an address of the host: nothing but answers to what the host itself began."""
    return _chain(
        "input",
        "type filter hook input priority -10; policy accept;",
        f'iifname "{bridge}" ct state established,related accept',
        f'iifname "{bridge}" drop',
    )


def _forward(bridge: str, allowed: Iterable[str]) -> str:
    """From a zone: what was begun, what is allowed, then whatever no closed range holds."""
    closed = ", ".join(str(item) for item in CLOSED_RANGES)
    return _chain(
        "forward",
        "type filter hook forward priority -10; policy accept;",
        f'oifname "{bridge}" ct state established,related accept',
        f'oifname "{bridge}" drop',
        f'iifname != "{bridge}" return',
        "meta nfproto ipv6 drop",
        "ct state established,related accept",
        f"add @flows {{ ip saddr ct count over {FLOWS_MAX} }} reject with icmp admin-prohibited",
        *allowed,
        f"ip daddr {{ {closed} }} reject with icmp admin-prohibited",
        "fib daddr type != unicast drop",
    )


def _postrouting(bridge: str, network: IPv4Network) -> str:
    return _chain(
        "postrouting",
        "type nat hook postrouting priority 100; policy accept;",
        f'ip saddr {network} oifname != "{bridge}" masquerade',
    )


def _bridge_input(ports: str, gateway: IPv4Address) -> str:
    """Frames for the host: from zones only under their own name, and ARP only for the gateway."""
    return _chain(
        "input",
        "type filter hook input priority -10; policy accept;",
        f'iifname != "{ports}*" accept',
        "jump spoofing",
        f"ether type arp arp operation request arp daddr ip != {gateway} drop",
    )


def _bridge_forward(ports: str) -> str:
    """From zone to zone nothing, also where ports are not isolated."""
    return _chain(
        "forward",
        "type filter hook forward priority -10; policy accept;",
        f'iifname "{ports}*" drop',
    )


def _spoofing() -> str:
    return _chain(
        "spoofing",
        "ether type ip6 drop",
        "ether type arp iifname . arp saddr ether . arp saddr ip @speakers return",
        "ether type ip iifname . ether saddr . ip saddr @speakers return",
        "drop",
    )


def _resolver(address: IPv4Address) -> list[str]:
    return [f"ip daddr {address} {protocol} dport 53 accept" for protocol in ("udp", "tcp")]


def _open(opening: Opening) -> str:
    source = "ip saddr @builds " if opening.kind == "builds" else ""
    port = f" tcp dport {opening.port}" if opening.port else ""
    return f"{source}ip daddr {opening.network}{port} accept"


def _replace(family: str, table: str, parts: Iterable[str]) -> str:
    """Named before it is deleted, so that it is fine if there was none."""
    place, body = f"{family} {table}", "".join(parts)
    return f"table {place}\ndelete table {place}\ntable {place} {{\n{body}}}\n"


def _chain(name: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {name} {{\n{body}  }}\n"
