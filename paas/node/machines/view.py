"""The machine as `vmadm get` shows it. Pure."""

from ipaddress import IPv4Network, IPv6Network
from typing import Any

from paas.node.machines import nics
from paas.node.machines.machine import Machine
from paas.node.network.addresses import address, address6, mac

_ONLY_WHEN_SET = ("indestructible_zoneroot", "indestructible_delegated")
"""As on SmartOS, where they are holds in the pool: there, or not."""


def vm_object(
    machine: Machine, network: IPv4Network, network6: IPv6Network | None, key: str
) -> dict[str, Any]:
    """The machine as `vmadm get` shows it; properties without a value are left out."""
    nic = _nic(machine, network, network6, key)
    state = "provisioning" if machine.state == "deleting" else machine.state
    derived = {
        "v": 1,
        "type": "LX" if machine.properties["brand"] == "lx" else "OS",
        "state": state,
        "zone_state": "running" if machine.pid else "installed",
        "zoneid": machine.slot if machine.pid else None,
        "zonepath": f"/zones/{machine.uuid}",
        "zfs_filesystem": f"zones/{machine.uuid}",
        "pid": machine.pid,
        "nics": [nic] if machine.slot else [],
        "snapshots": [dict(item) for item in machine.snapshots],
        "create_timestamp": machine.create_timestamp,
        "last_modified": machine.last_modified,
        "boot_timestamp": machine.boot_timestamp,
        "exit_status": machine.exit_status,
        "exit_timestamp": machine.exit_timestamp,
        "exit_reason": machine.exit_reason,
        "init_restarts": machine.init_restarts,
        "oom_kills": machine.oom_kills or None,
        "oom_kill_timestamp": machine.oom_kill_timestamp,
        "lwps_hits": machine.lwps_hits or None,
        "lwps_hit_timestamp": machine.lwps_hit_timestamp,
        "restarting": True if _is_restarting(machine) else None,
        "failure": machine.failure,
        "listened": machine.listened,
        "unreachable": machine.unreachable or None,
    }
    shown = {key: value for key, value in {**machine.properties, **derived}.items()}
    kept = {
        key: value
        for key, value in shown.items()
        if value is not None and (value is not False or key not in _ONLY_WHEN_SET)
    }
    # Always there: their being null is what callers wait on.
    return {
        **kept,
        "listening": machine.listening,
        "listening_timestamp": machine.listening_timestamp,
    }


def _nic(
    machine: Machine, network: IPv4Network, network6: IPv6Network | None, key: str
) -> dict[str, Any]:
    slot = machine.slot
    ips = [f"{address(network, slot)}/{network.prefixlen}"]
    gateways = [str(network.network_address + 1)]
    if network6:
        ips.append(f"{address6(network6, slot)}/{network6.prefixlen}")
        gateways.append(str(network6.network_address + 1))
    asked = nics.asked(machine.properties)
    return {
        "interface": "eth0",
        "mac": nics.mac(machine.properties) or mac(slot, key),
        "ip": str(address(network, slot)),
        "ips": ips,
        "netmask": str(network.netmask),
        "gateway": gateways[0],
        "gateways": gateways,
        "nic_tag": nics.TAG,
        "primary": True,
        **{name: asked[name] for name in ("mtu", "network_uuid") if name in asked},
    }


def _is_restarting(machine: Machine) -> bool:
    """Its process has ended by itself, and the node is about to start it again."""
    if machine.wanted != "running" or machine.state != "stopped":
        return False
    return (machine.exit_timestamp or "") > (machine.start_timestamp or "")
