"""What is not the public internet: closed to zones, unless it is opened by name.

From IANA's registries of special-purpose addresses (RFC 6890) and of IPv6 address space.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

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

PUBLIC_RANGE_6 = IPv6Network("2000::/3")
CLOSED_RANGES_6 = tuple(
    IPv6Network(text)
    for text in (
        "::/3",  # also loopback, mapped IPv4, and NAT64, behind which private IPv4 may stand
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation, as 3fff::/20
        "2002::/16",  # 6to4: embeds any IPv4 address
        "3fff::/20",
        "4000::/2",
        "8000::/1",  # also unique local (fc00::/7), link-local (fe80::/10) and multicast
    )
)
"""All but 2000::/3, the only range that is given to the public, and what in it is special."""


def is_closed(address: Address) -> bool:
    ranges = CLOSED_RANGES if address.version == 4 else CLOSED_RANGES_6
    return any(address in closed for closed in ranges)


def family(item: Address | Network) -> str:
    """As nftables calls the header: `ip` or `ip6`."""
    return "ip" if item.version == 4 else "ip6"


def single(address: Address) -> Network:
    """The network that is this address alone."""
    return ip_network(address)
