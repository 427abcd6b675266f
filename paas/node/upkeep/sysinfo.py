"""sysinfo(8): what this server is, with SmartOS's keys."""

import os
import platform
import socket
import uuid
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from paas.node.pools.interface import Pool
from paas.settings import Settings

_GIB = 1024**3


def sysinfo(settings: Settings, pool: Pool, network6: IPv6Network | None) -> dict[str, Any]:
    """Blocks for some file reads. `network6` is the machines' IPv6 network, where they have one."""
    space = pool.space()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = os.cpu_count() or 1
    return {
        "Live Image": platform.release(),
        "System Type": platform.system(),
        "Boot Time": str(_boot_time_s()),
        "Hostname": socket.gethostname(),
        "UUID": server_uuid(),
        "Datacenter Name": settings.installation,
        "SDC Version": "7.0",
        "VM Capable": False,
        "Bhyve Capable": False,
        "CPU Type": _cpu_type(),
        "CPU Total Cores": cores,
        "CPU Online Count": cores,
        "CPU Count": cores,
        "MiB of Memory": str(memory // 1024**2),
        "Zpool": "zones",
        "Zpool Driver": pool.driver,
        "Zpool Size in GiB": space.size_bytes // _GIB,
        "Zpool Size in Bytes": space.size_bytes,
        "Zpool Free in Bytes": space.free_bytes,
        "Network Interfaces": _interfaces(),
        "Virtual Network Interfaces": {settings.bridge: _bridge(settings, network6)},
    }


def server_uuid() -> str:
    """From the machine id, so that it is the same after a reboot; never the machine id itself."""
    for path in (Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")):
        text = path.read_text().strip() if path.exists() else ""
        if text:
            return str(uuid.uuid5(uuid.NAMESPACE_OID, f"smartplatform {text}"))
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, socket.gethostname()))


def _boot_time_s() -> int:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0


def _cpu_type() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _interfaces() -> dict[str, dict[str, str]]:
    found = {}
    for folder in sorted(Path("/sys/class/net").iterdir()):
        mac, state = (_read(folder / name) for name in ("address", "operstate"))
        if (folder / "device").exists():
            found[folder.name] = {"MAC Address": mac, "Link Status": state}
    return found


def _bridge(settings: Settings, network6: IPv6Network | None) -> dict[str, str]:
    """The gateway of all machines."""
    folder = Path("/sys/class/net", settings.bridge)
    mac, state = (_read(folder / name) for name in ("address", "operstate"))
    found = {
        "MAC Address": mac,
        "ip4addr": str(settings.network.network_address + 1),
        "Link Status": state,
    }
    return found | ({"ip6addr": str(network6.network_address + 1)} if network6 else {})


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
