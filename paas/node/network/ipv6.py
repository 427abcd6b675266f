"""IPv6 of this host: whether it leads anywhere, and letting packets of zones through.

The host's own IPv6 stays as it is. A host that forwards ignores router advertisements, from which
it may have its address and its default route, unless it is told otherwise first (`accept_ra` 2).
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

from paas.node.network.ranges import PUBLIC_RANGE_6, Network

SYSCTLS = Path("/proc/sys/net/ipv6/conf")
_ROUTES = Path("/proc/thread-self/net/ipv6_route")
_ANYWHERE = str(PUBLIC_RANGE_6.network_address + 1)
_PORT = 53
_UNREACHABLE = 0x0200
"""RTF_REJECT, linux/route.h."""
_ACCEPT_RA_ALSO_WHEN_FORWARDING = "2"


@dataclass(frozen=True)
class Route:
    network: IPv6Network
    interface: str


def way_out() -> IPv6Address | None:
    """The address by which the host reaches the public internet; None when no route leads there.

    Asks the kernel alone: connecting a datagram socket sends nothing.
    """
    with (
        suppress(OSError),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.connect((_ANYWHERE, _PORT))
        source = IPv6Address(channel.getsockname()[0].partition("%")[0])
        if not (source.is_link_local or source.is_loopback):
            return source
    return None


def forward(targets: Iterable[Network], bridge: str) -> None:
    """Let packets pass from the bridge to where `targets` are, and back.

    Where the kernel can (Linux 6.17), on these interfaces alone. Otherwise on all, as
    IPv6 always did; those that listened to router advertisements go on to do so.
    """
    if _read(SYSCTLS / "all/forwarding") == "1":
        return
    if (SYSCTLS / bridge / "force_forwarding").exists():
        for name in (bridge, *interfaces(routes(_ROUTES.read_text()), targets)):
            (SYSCTLS / name / "force_forwarding").write_text("1")
    else:
        forward_everywhere()


def forward_everywhere() -> None:
    for setting in SYSCTLS.glob("*/accept_ra"):
        if _read(setting) == "1":
            setting.write_text(_ACCEPT_RA_ALSO_WHEN_FORWARDING)
    (SYSCTLS / "all/forwarding").write_text("1")


def routes(text: str) -> Iterator[Route]:
    """From /proc/net/ipv6_route: ten columns, numbers in hexadecimal without colons."""
    for line in text.splitlines():
        target, length, *_, flags, interface = line.split()
        if not int(flags, 16) & _UNREACHABLE:
            yield Route(IPv6Network((int(target, 16), int(length, 16))), interface)


def interfaces(known: Iterable[Route], targets: Iterable[Network]) -> list[str]:
    """Through which any of the targets of IPv6, or the public internet, are reached."""
    wanted = [PUBLIC_RANGE_6, *(item for item in targets if isinstance(item, IPv6Network))]
    return sorted(
        {
            route.interface
            for route in known
            if route.interface != "lo" and any(route.network.overlaps(item) for item in wanted)
        }
    )


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""
