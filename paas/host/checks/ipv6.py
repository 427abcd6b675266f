"""What IPv6 does for machines on this host."""

from ipaddress import IPv6Address
from pathlib import Path

from paas.errors import UserError
from paas.host.finding import Finding, ok, problem, warning
from paas.host.processes import platform_pid
from paas.settings import Settings


def ipv6(settings: Settings) -> Finding:
    """The node decides at its start, by the same question to the kernel."""
    from paas.node.network.ipv6 import way_out

    try:
        network = settings.network6
    except UserError as error:
        return problem("ipv6", error.message, error.hint)
    if network is None:
        return ok("ipv6", "machines have IPv4 only: subnet6 is none")
    source, runs = way_out(), platform_pid(settings) is not None
    began = not runs or has_address(settings.bridge, network.network_address + 1)
    if source is None:
        return ok("ipv6", "machines have IPv4 only: no route of this host leads to IPv6 outside")
    if not began:
        return warning(
            "ipv6",
            "machines have IPv4 only: IPv6 came to this host after the platform had started",
            "Restart the platform; machines have it when they boot next.",
        )
    return ok("ipv6", f"machines have addresses of {network} and go out as {source}")


def has_address(
    interface: str, address: IPv6Address, listing: Path = Path("/proc/net/if_inet6")
) -> bool:
    """Whether an interface of this host has the address: proc(5), hexadecimal without colons."""
    try:
        lines = listing.read_text().splitlines()
    except OSError:
        return False
    wanted = (address.packed.hex(), interface)
    return wanted in [(line.split()[0], line.split()[-1]) for line in lines]
