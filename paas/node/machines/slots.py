"""Which slot a new machine gets: that of the address it asks for, or a free one."""

from collections.abc import Mapping, Sequence
from typing import Any

from paas.node.machines import nics
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine
from paas.node.machines.payload import BadPayload
from paas.node.network import addresses, lan


def chosen(host: Host, properties: Mapping[str, Any], machines: Sequence[Machine]) -> int:
    """Raises NodeError: a wrong address, or one or a MAC that is another's."""
    settings = host.settings
    if (nics.mtu(properties) or 0) > lan.default_mtu():
        raise BadPayload(["nics.*.mtu"])
    others = [(machine.slot, host.port(machine).mac) for machine in machines]
    wanted = nics.slot(properties, settings.network, host.network6)
    own = nics.mac(properties)
    nics.check_free(wanted, own, others, addresses.mac(0, settings.key))
    if wanted is not None:
        nics.check_free(None, own or addresses.mac(wanted, settings.key), others, "")
        return wanted
    taken, macs = {slot for slot, _ in others}, {mac for _, mac in others}
    while True:
        slot = addresses.free_slot(taken, settings.network)
        if own or addresses.mac(slot, settings.key) not in macs:
            return slot
        taken.add(slot)  # Somebody has asked for the MAC that follows from it.
