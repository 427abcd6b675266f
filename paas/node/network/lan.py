"""The host's side of the zones' network: made at start, a port a machine, taken away at the end.

What may pass is `firewall`'s matter; how a request to the kernel looks is `netlink`'s. Everything
here blocks for milliseconds (call it in a thread), can be repeated, and is one installation's.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network
from pathlib import Path

from paas.node.network import addresses, firewall, foreign, ipv6, netlink
from paas.node.network.firewall import Lan, Opening, Port
from paas.node.network.ranges import Address, single
from paas.settings import Settings
from paas.system import command

_MTU = 1500


def network6(settings: Settings) -> IPv6Network | None:
    """The machines' IPv6 network: none where it is switched off, or where nothing leads out of the
    host. An address without a way would only make programs wait for connections that never come.
    """
    return settings.network6 if ipv6.way_out() else None


def prepare(
    settings: Settings,
    network6: IPv6Network | None,
    resolvers: Sequence[Address],
    openings: Sequence[Opening],
    ports: Sequence[Port],
) -> None:
    """The bridge, its addresses, forwarding, and the rules; `ports` are of existing machines."""
    lan = _lan(settings, network6)
    _make_bridge(lan)
    _sysctl("ipv4/ip_forward", "1")
    if network6 is not None:
        targets = [*(opening.network for opening in openings), *map(single, resolvers)]
        ipv6.forward(targets, settings.bridge)
    for port in ports:
        if netlink.index(port.interface) is not None:
            _connect(settings, port)
    # One transaction: machines that run never find themselves without their port.
    admitted = "".join(firewall.admit(settings.nftables_table, port) for port in ports)
    foreign.load(firewall.rules(lan, resolvers, openings) + admitted)
    pass_through(settings)


def pass_through(settings: Settings) -> None:
    """Have the firewalls of others (Docker, ufw) let the zones pass, as they are now."""
    foreign.pass_through(settings.bridge, settings.nftables_table)


def attach(settings: Settings, port: Port, pid: int) -> None:
    """Give the zone whose first process is `pid` its interface `eth0`, addresses and routes."""
    netlink.delete(port.interface)
    netlink.add_veth(port.interface, "eth0", pid, port.mac, port.mtu or default_mtu())
    _connect(settings, port)
    netlink.set_up(port.interface)
    netlink.in_namespace_of(pid, lambda: _configure(settings, port))


def admit(settings: Settings, port: Port) -> None:
    """Let a machine's port pass the firewall, for as long as the machine exists."""
    foreign.load(firewall.admit(settings.nftables_table, port))


def expel(settings: Settings, port: Port) -> None:
    """The reverse of `admit`."""
    with suppress(command.CommandFailed):  # The port was not there: nothing to forget.
        foreign.load(firewall.expel(settings.nftables_table, port))


def detach(settings: Settings, port: Port) -> None:
    netlink.delete(port.interface)
    for address in port.addresses:
        netlink.forget_neighbour(settings.bridge, address)


def sweep(settings: Settings, keep: Iterable[str]) -> list[str]:
    """Delete interfaces of this installation that belong to no machine; their names."""
    orphans = netlink.names(settings.veth_prefix) - set(keep)
    for name in orphans:
        netlink.delete(name)
    return sorted(orphans)


def remove(settings: Settings) -> None:
    """Take the whole network of the installation away; for uninstall and tests."""
    sweep(settings, ())
    foreign.load(firewall.remove(settings.nftables_table))
    foreign.take_back(settings.nftables_table)
    netlink.delete(settings.bridge)


def trial(settings: Settings) -> str:
    """The installation's rules as text, to ask nft whether it can load them here."""
    return firewall.rules(_lan(settings, settings.network6), [], [])


def default_mtu() -> int:
    """The MTU of the interface of the default route: a veth with more would lose large packets."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/thread-self/net/route").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000":
                return min(_MTU, netlink.mtu(fields[0]))
    return _MTU


def _lan(settings: Settings, network6: IPv6Network | None) -> Lan:
    return Lan(
        table=settings.nftables_table,
        bridge=settings.bridge,
        ports=settings.veth_prefix,
        mac=addresses.mac(0, settings.key),
        network=settings.network,
        network6=network6,
    )


def _make_bridge(lan: Lan) -> None:
    netlink.add_bridge(lan.bridge, lan.mac, default_mtu())
    if netlink.mac(lan.bridge) != lan.mac:
        # From an earlier version: the zones that run have to hear of it.
        _sysctl(f"ipv4/conf/{lan.bridge}/arp_notify", "1")
        netlink.set_mac(lan.bridge, lan.mac)
    _set_ipv6(lan.bridge, on=lan.network6 is not None)
    netlink.set_up(lan.bridge)
    gateway = lan.network.network_address + 1
    netlink.add_address(lan.bridge, IPv4Interface(f"{gateway}/{lan.network.prefixlen}"))
    if lan.network6 is not None:
        gateway6 = lan.network6.network_address + 1
        netlink.add_address(lan.bridge, IPv6Interface(f"{gateway6}/{lan.network6.prefixlen}"))


def _connect(settings: Settings, port: Port) -> None:
    netlink.join_bridge(port.interface, settings.bridge, port.mac)
    for address in port.addresses:
        netlink.add_neighbour(settings.bridge, address, port.mac)


def _configure(settings: Settings, port: Port) -> None:
    """Inside the zone. It asks for no MAC but is told the gateway's: whom it asks for stands in one
    table of the kernel's for the whole host (gc_thresh3: 1024), which a zone could keep full.
    """
    _set_ipv6("eth0", on=port.address6 is not None)
    netlink.set_up("lo")
    netlink.set_up("eth0", asks=False)
    _settle(IPv4Interface(f"{port.address}/{settings.network.prefixlen}"), settings)
    if port.address6 is not None and settings.network6 is not None:
        _settle(IPv6Interface(f"{port.address6}/{settings.network6.prefixlen}"), settings)


def _settle(address: IPv4Interface | IPv6Interface, settings: Settings) -> None:
    gateway = address.network.network_address + 1
    netlink.add_address("eth0", address)
    netlink.add_neighbour("eth0", gateway, addresses.mac(0, settings.key))
    netlink.add_default_route(gateway, "eth0")


def _set_ipv6(interface: str, *, on: bool) -> None:
    """No address that nobody gave it: neither link-local nor from router advertisements."""
    if not (ipv6.SYSCTLS / interface).is_dir():
        return
    for name, value in (
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("accept_redirects", "0"),
        ("disable_ipv6", "0" if on else "1"),
    ):
        _sysctl(f"ipv6/conf/{interface}/{name}", value)


def _sysctl(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value)
