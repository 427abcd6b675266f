"""A payload's nic on the node's network: which slot its address stands for, and whose it is. Pure.

Addresses follow from the slot (`network.addresses`), so an address that is asked for chooses the
slot. Conflicts are told in vmadm's words.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_interface
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.payload import BadPayload
from paas.node.network import addresses

TAG = "internal"
"""The one NIC tag of a node."""


def asked(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the payload says of the one interface."""
    found: list[Mapping[str, Any]] = properties.get("nics") or [{}]
    return found[0]


def mac(properties: Mapping[str, Any]) -> str | None:
    """The one that was asked for; else it follows from the slot."""
    return asked(properties).get("mac")


def mtu(properties: Mapping[str, Any]) -> int | None:
    """The one that was asked for; else the host's."""
    return asked(properties).get("mtu")


def slot(
    properties: Mapping[str, Any], network: IPv4Network, network6: IPv6Network | None
) -> int | None:
    """The slot of the address that was asked for; None when any will do. Raises BadPayload."""
    nic = asked(properties)
    if nic.get("nic_tag", TAG) != TAG:
        raise NodeError("InvalidPayload", f'Invalid nic tag "{nic["nic_tag"]}": there is "{TAG}"')
    wanted = _address(nic, network)
    _check_surroundings(nic, network, network6)
    found = None if wanted is None else int(wanted) - int(network.network_address) - 1
    most = min(addresses.SLOT_COUNT_MAX, network.num_addresses - 3)
    if found is not None and not addresses.FIRST_SLOT <= found <= most:
        raise BadPayload(["nics.*.ip"])
    _check_sixes(nic, network6, found)
    return found


def check_free(
    wanted: int | None, mac: str | None, others: Iterable[tuple[int, str]], gateway_mac: str
) -> None:
    """`others` are slots and MACs. Raises NodeError with SmartOS's words."""
    for number, other in [*others, (0, gateway_mac)]:
        if wanted == number or mac == other:
            text = "Conflict detected with another vm, please check the MAC, IP, and VRID"
            raise NodeError("Conflict", text)


def _address(nic: Mapping[str, Any], network: IPv4Network) -> IPv4Address | None:
    """Of IPv4. Raises BadPayload."""
    found = []
    for item in nic.get("ips", []):
        if item not in ("dhcp", "addrconf") and ip_interface(item).version == 4:
            interface = ip_interface(item)
            if interface.network != network:
                raise BadPayload(["nics.*.ips"])
            found.append(interface.ip)
    if nic.get("ip", "dhcp") != "dhcp":
        found.append(IPv4Address(nic["ip"]))
    if len(set(found)) > 1:
        raise BadPayload(["nics.*.ips"])
    if found and found[0] not in network:
        raise BadPayload(["nics.*.ip"])
    return IPv4Address(str(found[0])) if found else None


def _check_surroundings(
    nic: Mapping[str, Any], network: IPv4Network, network6: IPv6Network | None
) -> None:
    gateways = {str(network.network_address + 1)}
    if network6:
        gateways.add(str(network6.network_address + 1))
    if nic.get("netmask", str(network.netmask)) != str(network.netmask):
        raise BadPayload(["nics.*.netmask"])
    for name, found in (("gateway", [nic.get("gateway")]), ("gateways", nic.get("gateways", []))):
        if not {item for item in found if item is not None} <= gateways:
            raise BadPayload([f"nics.*.{name}"])


def _check_sixes(nic: Mapping[str, Any], network6: IPv6Network | None, slot: int | None) -> None:
    """An address of IPv6 is the slot's, or it is not there."""
    for item in nic.get("ips", []):
        if item in ("dhcp", "addrconf") or ip_interface(item).version == 4:
            continue
        due = addresses.address6(network6, slot) if network6 and slot else None
        if due is None or ip_interface(item).ip != due:
            raise BadPayload(["nics.*.ips"])
