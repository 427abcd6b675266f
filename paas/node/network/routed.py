"""The table of family inet: what may be routed from and to zones, and delivered to the host."""

from collections.abc import Iterable, Sequence
from socket import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

from paas.node.network.ranges import CLOSED_RANGES, CLOSED_RANGES_6, Network, family

FLOWS_MAX = 4096
"""Connections that a zone may have open through the host, of IPv4 and of IPv6 each: the host's
table of them (nf_conntrack_max) is one for all."""
FLOWS_PER_SECOND_MAX = 250
"""New ones, after FLOWS_MAX at once: the host remembers those that ended for up to two minutes, and
does not count them."""

TCP, UDP, ICMP, ICMP6 = IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6
"""Numbers: nft looks names up in /etc/protocols, which a minimal host does not have."""
_REFUSE = {"ip": "reject with icmp admin-prohibited", "ip6": "reject with icmpv6 admin-prohibited"}
_CLOSED: dict[str, Sequence[Network]] = {"ip": CLOSED_RANGES, "ip6": CLOSED_RANGES_6}


def table(bridge: str, networks: Sequence[Network], allowed: Iterable[str]) -> list[str]:
    """Sets and chains. `allowed` are rules that stand before the closed ranges."""
    headers = [family(network) for network in networks]
    return [
        *(_sets(header) for header in headers),
        _input(bridge),
        _forward(bridge, headers, allowed),
        chain("output", "type filter hook output priority -10; policy accept;"),
        _postrouting(bridge, networks),
    ]


def chain(name: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {name} {{\n{body}  }}\n"


def _sets(header: str) -> str:
    kind = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}[header]
    return (
        f"  set builds_{header} {{ type {kind}; }}\n"
        f"  set flows_{header} {{ type {kind}; size 65535; flags dynamic; }}\n"
        f"  set begun_{header} {{ type {kind}; size 65535; flags dynamic,timeout; timeout 1m; }}\n"
    )


def _input(bridge: str) -> str:
    """To an address of the host: nothing but answers to what the host itself began.

    No errors (`related`): they may speak of any connection that the host knows, another's too.
    """
    return chain(
        "input",
        "type filter hook input priority -10; policy accept;",
        f'iifname "{bridge}" ct state established accept',
        f'iifname "{bridge}" drop',
    )


def _forward(bridge: str, headers: Sequence[str], allowed: Iterable[str]) -> str:
    """From a zone: what was begun, what is allowed, then whatever no closed range holds."""
    return chain(
        "forward",
        "type filter hook forward priority -10; policy accept;",
        # Before all: an error that a zone makes up about a neighbour's connection is `related`.
        f'iifname "{bridge}" oifname "{bridge}" drop',
        f'oifname "{bridge}" ct state established,related accept',
        f'oifname "{bridge}" drop',
        f'iifname != "{bridge}" return',
        *([] if "ip6" in headers else ["meta nfproto ipv6 drop"]),
        "ct state established accept",
        # NAT leaves alone what is invalid: it would go out with the zone's own address.
        "ct state != new drop",
        *_protocols(headers),
        *(line for header in headers for line in _shares(header)),
        *allowed,
        *(_closed(header) for header in headers),
        "fib daddr type != unicast drop",
    )


def _protocols(headers: Sequence[str]) -> list[str]:
    """No tunnels and no routing protocols: without ports the packet would count as the host's own,
    also for who talks to the host in that protocol. Redirects and advertisements come from routers.
    """
    lines = [
        f"meta l4proto != {{ {TCP}, {UDP}, {ICMP}, {ICMP6} }} drop",
        "icmp type != echo-request drop",
    ]
    if "ip6" in headers:
        lines += [
            "icmpv6 type != echo-request drop",
            # Once more, because a fragment hides what follows its header from the bridge's rules.
            f"ip6 nexthdr != {{ {TCP}, {UDP}, {ICMP6} }} drop",
        ]
    return lines


def _shares(header: str) -> list[str]:
    fast = f"limit rate over {FLOWS_PER_SECOND_MAX}/second burst {FLOWS_MAX} packets"
    return [
        f"add @flows_{header} {{ {header} saddr ct count over {FLOWS_MAX} }} {_REFUSE[header]}",
        f"update @begun_{header} {{ {header} saddr {fast} }} {_REFUSE[header]}",
    ]


def _closed(header: str) -> str:
    ranges = ", ".join(str(item) for item in _CLOSED[header])
    return f"{header} daddr {{ {ranges} }} {_REFUSE[header]}"


def _postrouting(bridge: str, networks: Iterable[Network]) -> str:
    return chain(
        "postrouting",
        "type nat hook postrouting priority 100; policy accept;",
        *(
            f'{family(network)} saddr {network} oifname != "{bridge}" masquerade'
            for network in networks
        ),
    )
