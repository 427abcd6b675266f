"""The table of family bridge: which frames a zone's interface may send.

Only ARP for the gateway, and IPv4 and IPv6 packets to the bridge's MAC, from the port's own MAC
and addresses. So there is no broadcast, no multicast (DHCP, mDNS, IGMP, MLD) and no neighbour
discovery: both ends know each other's MAC from the beginning (`lan`), and no router
advertisement or redirect finds its way. ARP is for zones that an earlier version booted. Judged
before the bridge itself looks at the frame.
"""

from collections.abc import Sequence

from paas.node.network.ranges import Network, family
from paas.node.network.routed import ICMP, ICMP6, TCP, UDP, chain

FRAGMENTS_PER_SECOND_MAX = 50
"""Of one port. The host keeps the parts of packets for 30 s in 4 MiB that all share."""

_TOO_MANY = (
    "update @fragments { iifname limit rate over "
    f"{FRAGMENTS_PER_SECOND_MAX}/second burst {2 * FRAGMENTS_PER_SECOND_MAX} packets }} drop"
)
_PLAIN = {
    "ip": f"ip hdrlength 5 ip protocol {{ {TCP}, {UDP}, {ICMP} }}",
    "ip6": f"ip6 nexthdr {{ {TCP}, {UDP}, {ICMP6}, 44 }}",
}
"""Neither options (source routes) nor extension headers but 44, the fragment's."""
_IS_FRAGMENT = {"ip": "ip frag-off & 0x3fff != 0", "ip6": "ip6 nexthdr 44"}
_RESERVED = "01:80:c2:00:00:00-01:80:c2:00:00:0f"
"""Between bridges (IEEE 802.1D): such frames pass the hook `input` alone."""
_KINDS = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def table(ports: str, mac: str, networks: Sequence[Network]) -> list[str]:
    """Sets and chains. `ports` is what zones' interfaces begin with, `mac` the bridge's."""
    headers = [family(network) for network in networks]
    gateway = networks[0].network_address + 1
    return [
        *(_speakers(header) for header in headers),
        "  set fragments { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }\n",
        _hook("prerouting", -300, f'iifname "{ports}*" jump zone'),
        _hook("input", -10, f'iifname "{ports}*" ether daddr {_RESERVED} drop'),
        # From zone to zone nothing, also where ports are not isolated.
        _hook("forward", -10, f'iifname "{ports}*" drop'),
        _zone(mac, headers),
        _arp(mac, str(gateway)),
        *(_packet(header) for header in headers),
    ]


def _speakers(header: str) -> str:
    return f"  set speakers_{header} {{ type ifname . ether_addr . {_KINDS[header]}; }}\n"


def _hook(hook: str, priority: int, rule: str) -> str:
    return chain(hook, f"type filter hook {hook} priority {priority}; policy accept;", rule)


def _zone(mac: str, headers: Sequence[str]) -> str:
    return chain(
        "zone",
        "ether type arp goto zone_arp",
        f"ether daddr != {mac} drop",
        *(f"ether type {header} goto zone_{header}" for header in headers),
        "drop",
    )


def _arp(mac: str, gateway: str) -> str:
    """What is accepted is whole: a rule does not match a frame that is too short for it."""
    known = (
        "arp htype 1 arp ptype ip arp hlen 6 arp plen 4"
        f" ether daddr {{ ff:ff:ff:ff:ff:ff, {mac} }}"
        " iifname . ether saddr . arp saddr ip @speakers_ip"
        " iifname . arp saddr ether . arp saddr ip @speakers_ip"
    )
    return chain(
        "zone_arp",
        f"arp operation request arp daddr ip {gateway} {known} accept",
        f"arp operation reply {known} accept",
        "drop",
    )


def _packet(header: str) -> str:
    known = f"iifname . ether saddr . {header} saddr @speakers_{header}"
    return chain(
        f"zone_{header}",
        f"{known} {_IS_FRAGMENT[header]} {_TOO_MANY}",
        f"{known} {_PLAIN[header]} accept",
        "drop",
    )
