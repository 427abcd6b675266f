"""What follows from a machine's slot on the node's networks: its addresses and its MAC. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from paas.errors import PlatformError

FIRST_SLOT = 1
SLOT_COUNT_MAX = 0x6000


def address(network: IPv4Network, slot: int) -> IPv4Address:
    """The first address is the bridge's; slots follow."""
    found = network.network_address + 1 + slot
    if found >= network.broadcast_address:
        raise PlatformError(f"the network {network} has no address for machine number {slot}")
    return found


def address6(network: IPv6Network, slot: int) -> IPv6Address:
    """As `address`; a network of IPv6 has room for all slots."""
    return network.network_address + 1 + slot


def mac(slot: int, key: str) -> str:
    """A locally administered unicast MAC: four digits of the installation's key, then the slot.

    Slot 0, which no machine has, is the bridge's.
    """
    octets = bytes.fromhex("02" + key[:4]) + slot.to_bytes(3)
    return ":".join(f"{octet:02x}" for octet in octets)


def free_slot(taken: Iterable[int], network: IPv4Network) -> int:
    used = set(taken)
    most = min(SLOT_COUNT_MAX, network.num_addresses - 3)
    for slot in range(FIRST_SLOT, most + 1):
        if slot not in used:
            return slot
    raise PlatformError(f"this node is full: {most} machines are all that {network} has room for")
