"""The host's side of the zones' network: made at start, a port a machine, taken away at the end.

What may pass is `firewall`'s matter; how a request to the kernel looks is `netlink`'s. Everything
here blocks for milliseconds (call it in a thread), can be repeated, and is one installation's.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from paas.node import command
from paas.node.network import firewall, netlink
from paas.node.network.firewall import Opening, Port
from paas.settings import Settings

log = logging.getLogger(__name__)
_MTU = 1500


def prepare(
    settings: Settings,
    resolvers: Iterable[IPv4Address],
    openings: Sequence[Opening],
    ports: Iterable[Port],
) -> None:
    """The bridge with its address, forwarding, and the rules; `ports` are of existing machines."""
    netlink.add_bridge(settings.bridge, default_mtu())
    with suppress(OSError):
        _sysctl(f"ipv6/conf/{settings.bridge}/disable_ipv6", "1")
    gateway = settings.network.network_address + 1
    netlink.add_address(settings.bridge, IPv4Interface(f"{gateway}/{settings.network.prefixlen}"))
    netlink.set_up(settings.bridge)
    _sysctl("ipv4/ip_forward", "1")
    text = firewall.rules(
        settings.nftables_table,
        settings.bridge,
        settings.veth_prefix,
        settings.network,
        resolvers,
        openings,
    )
    # One transaction: machines that run never find themselves without their port.
    _nft(text + "".join(firewall.admit(settings.nftables_table, port) for port in ports))
    for chain in foreign_forward_drop():
        _pass_through(settings, chain)


def attach(settings: Settings, port: Port, pid: int) -> None:
    """Give the zone whose first process is `pid` its interface `eth0`, address and route."""
    netlink.delete(port.interface)
    netlink.add_veth(port.interface, "eth0", pid, port.mac, default_mtu())
    netlink.join_bridge(port.interface, settings.bridge)
    gateway = settings.network.network_address + 1
    address = IPv4Interface(f"{port.address}/{settings.network.prefixlen}")

    def inside() -> None:
        netlink.add_address("eth0", address)
        netlink.set_up("lo")
        netlink.set_up("eth0")
        netlink.add_default_route(gateway, "eth0")

    netlink.in_namespace_of(pid, inside)
    netlink.set_up(port.interface)


def admit(settings: Settings, port: Port) -> None:
    """Let a machine's port pass the firewall, for as long as the machine exists."""
    _nft(firewall.admit(settings.nftables_table, port))


def expel(settings: Settings, port: Port) -> None:
    """The reverse of `admit`."""
    with suppress(command.CommandFailed):  # The port was not there: nothing to forget.
        _nft(firewall.expel(settings.nftables_table, port))


def detach(port: Port) -> None:
    netlink.delete(port.interface)


def sweep(settings: Settings, keep: Iterable[str]) -> list[str]:
    """Delete interfaces of this installation that belong to no machine; their names."""
    orphans = netlink.names(settings.veth_prefix) - set(keep)
    for name in orphans:
        netlink.delete(name)
    return sorted(orphans)


def remove(settings: Settings) -> None:
    """Take the whole network of the installation away; for uninstall and tests."""
    sweep(settings, ())
    _nft(firewall.remove(settings.nftables_table))
    for chain in _forward_chains():
        _take_back(settings, chain)
    netlink.delete(settings.bridge)


def foreign_forward_drop() -> list[dict[str, Any]]:
    """Chains of others (Docker, ufw) that drop what is forwarded: `family`, `table`, `name`."""
    return [chain for chain in _forward_chains() if chain.get("policy") == "drop"]


def default_mtu() -> int:
    """The MTU of the interface of the default route: a veth with more would lose large packets."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/net/route").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000":
                return min(_MTU, netlink.mtu(fields[0]))
    return _MTU


def _forward_chains() -> list[dict[str, Any]]:
    try:
        listing = json.loads(command.run(["nft", "-j", "list", "chains"]))
    except command.CommandFailed as error:
        log.warning("the chains of nftables can't be listed: %s", error)
        return []
    chains = [item["chain"] for item in listing["nftables"] if "chain" in item]
    return [chain for chain in chains if chain.get("hook") == "forward" and _is_ip(chain)]


def _is_ip(chain: dict[str, Any]) -> bool:
    return chain["family"] in ("ip", "inet") and not chain["table"].startswith("paas_")


def _pass_through(settings: Settings, chain: dict[str, Any]) -> None:
    """A drop in any chain is final, so the foreign chain itself has to let the zones pass."""
    place = f"{chain['family']} {chain['table']} {chain['name']}"
    if f'comment "{settings.nftables_table}"' in _chain_text(chain):
        return
    rules = (
        f'iifname "{settings.bridge}" counter accept',
        f'oifname "{settings.bridge}" ct state established,related counter accept',
    )
    text = "".join(
        f'insert rule {place} {rule} comment "{settings.nftables_table}"\n' for rule in rules
    )
    try:
        _nft(text)
    except command.CommandFailed as error:
        log.warning("zones can't reach the internet: %s drops what is forwarded: %s", place, error)


def _take_back(settings: Settings, chain: dict[str, Any]) -> None:
    place = f"{chain['family']} {chain['table']} {chain['name']}"
    for line in _chain_text(chain).splitlines():
        if f'comment "{settings.nftables_table}"' in line and "# handle " in line:
            with suppress(command.CommandFailed):
                _nft(f"delete rule {place} handle {line.rsplit(' ', 1)[1]}\n")


def _chain_text(chain: dict[str, Any]) -> str:
    words = ("nft", "-a", "list", "chain", chain["family"], chain["table"], chain["name"])
    with suppress(command.CommandFailed):
        return command.run(words).decode(errors="replace")
    return ""


def _nft(text: str) -> None:
    command.run(["nft", "-f", "-"], input=text.encode())


def _sysctl(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value)
