"""The properties inside nics and filesystems, as rows of the table, and how a list of them is read.

Pure. What a nic's address has to do with the node's network is `nics`' matter.
"""

from collections.abc import Mapping
from typing import Any

from paas.node.machines import properties
from paas.node.machines.properties import Invalid
from paas.node.machines.table import (
    ABSENT,
    NARROWER,
    NEVER,
    NEXT_BOOT,
    OF_KIND,
    ONE_NIC,
    OS,
    Property,
)

_FLAG = properties.flag
_OPTIONS = (
    "ro",
    "rw",
    "nodevice",
    "nodevices",
    "nodev",
    "nosetuid",
    "nosuid",
    "noexec",
    "exec",
    "devices",
)
_ALWAYS = ("devices",)
_FILESYSTEMS_MAX = 32
_NOT_BUILT = "refused by name"


def _option(value: Any) -> list[str]:
    found = properties.words_of(value)
    if any(item not in _OPTIONS or item in _ALWAYS for item in found):
        raise Invalid
    return found


def _refused(name: str, kind: str, *only: Any, why: str = _NOT_BUILT, **more: Any) -> Property:
    check = more.pop("check", OF_KIND[kind])
    return Property(name, kind, check, only=only, standing=ABSENT, why=why, effect=NEVER, **more)


def _rows(*rows: Property) -> dict[str, Property]:
    return {row.name: row for row in rows}


NICS = _rows(
    Property("mac", "string", properties.mac, defaults="made", effect=NEVER),
    Property("ip", "string", properties.address, defaults="the node's choice", effect=NEVER),
    Property(
        "ips",
        "list",
        properties.interfaces,
        effect=NEVER,
        standing=NARROWER,
        why="one of IPv4 and, where there is such a network, one of IPv6 that belongs to it",
    ),
    Property("netmask", "string", properties.address, effect=NEVER, why="the network's"),
    Property("gateway", "string", properties.address, effect=NEVER, why="the network's"),
    Property("gateways", "list", properties.words_of, effect=NEVER, why="the network's"),
    Property(
        "nic_tag",
        "string",
        properties.text(31),
        default="internal",
        effect=NEVER,
        standing=NARROWER,
        why="there is one: internal",
    ),
    Property(
        "interface",
        "string",
        properties.choice("eth0", "net0"),
        default="eth0",
        effect=NEVER,
        standing=NARROWER,
        why="eth0, as in every lx zone there",
    ),
    Property("primary", "boolean", _FLAG, default=True, effect=NEVER, only=(True,), why=ONE_NIC),
    Property("network_uuid", "uuid", properties.uuid, effect=NEVER, why="a label"),
    _refused("vlan_id", "integer", 0, check=properties.integer(0, 4095)),
    Property(
        "mtu",
        "integer",
        properties.integer(576, 9000),
        defaults="the host's",
        limits="576 to 9000",
        effect=NEVER,
        standing=NARROWER,
        why="no more than that of the host's default route, or 1500",
    ),
    _refused("allowed_ips", "list", []),
    _refused("allow_dhcp_spoofing", "boolean", False),
    _refused("allow_ip_spoofing", "boolean", False),
    _refused("allow_mac_spoofing", "boolean", False),
    _refused("allow_restricted_traffic", "boolean", False),
    _refused("allow_unfiltered_promisc", "boolean", False, brands="HVM"),
    _refused("allowed_dhcp_cids", "list", []),
    _refused("blocked_outgoing_ports", "list", []),
    _refused("dhcp_server", "boolean", False),
    _refused("vrrp_vrid", "integer"),
    _refused("vrrp_primary_ip", "string"),
    Property("model", "string", brands="HVM", effect=NEVER, why="dropped: for virtual machines"),
)
FILESYSTEMS = _rows(
    Property(
        "type",
        "string",
        properties.choice("lofs"),
        OS,
        default="lofs",
        effect=NEXT_BOOT,
        standing=NARROWER,
        why="lofs alone",
    ),
    Property("source", "string", properties.path, effect=NEXT_BOOT, why="a folder of the host's"),
    Property("target", "string", properties.path, effect=NEXT_BOOT),
    Property(
        "options",
        "list",
        _option,
        effect=NEXT_BOOT,
        standing=NARROWER,
        why="ro, rw, exec, noexec; nodev and nosuid always",
    ),
    _refused("raw", "string"),
)
NESTED = {"nics": NICS, "filesystems": FILESYSTEMS}


def check(name: str, value: Any) -> tuple[list[dict[str, Any]], list[str], list[str], list[str]]:
    """Items in their own types, and names of bad values, of what is not built, and of what was
    dropped: `nics.*.ip`, as SmartOS writes them. Raises Invalid for what is no list of objects.
    """
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise Invalid
    bad: list[str] = []
    refused: list[str] = []
    dropped: list[str] = []
    found = [_item(name, item, bad, refused, dropped) for item in value]
    return found, _once(bad), _once(refused), _once(dropped)


def _item(
    name: str, item: Mapping[str, Any], bad: list[str], refused: list[str], dropped: list[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in item.items():
        row, path = NESTED[name].get(key), f"{name}.*.{key}"
        if row is None or row.brands == "HVM":
            dropped.append(path[:80])
            continue
        try:
            if row.standing != ABSENT and not row.only:
                kept[key] = row.check(value)
            elif not is_built(row, value):
                refused.append(path)
        except Invalid:
            bad.append(path)
    return kept


def is_built(row: Property, value: Any) -> bool:
    """Whether a value of a row with `only` is one of those. Raises Invalid for no such value."""
    if value in (None, "") and row.kind in ("integer", "string", "list"):
        return True
    plain = row.check(value)
    return any(type(plain) is type(one) and plain == one for one in row.only)


def nics(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One, or none said. Raises Invalid with the name of what is wrong."""
    for nic in value:
        if "ip" in nic and "ips" in nic:
            ips = [item.partition("/")[0] for item in nic["ips"]]
            if nic["ip"] not in ips:
                raise Invalid("*.ip")
    return value


def filesystems(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole ones, each at a place of its own. Raises Invalid with the name of what is wrong."""
    if len(value) > _FILESYSTEMS_MAX:
        raise Invalid
    for item in value:
        for key in ("source", "target"):
            if key not in item:
                raise Invalid(f"*.{key}")
        if _is_taken(item["target"]):
            raise Invalid("*.target")
        item.setdefault("type", "lofs")
    if len({item["target"] for item in value}) != len(value):
        raise Invalid("*.target")
    return value


def _is_taken(target: str) -> bool:
    """By what every zone has: its devices, its kernel's files, and what the node mounts there."""
    first = target.split("/")[1]
    places = ("/usr", "/tmp", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/opt/smartplatform")
    return (
        first in ("proc", "sys", "dev")
        or target in places
        or target.startswith(
            (
                "/etc/resolv.conf",
                "/etc/hosts",
                "/etc/hostname",
                "/etc/ssl/certs",
                "/opt/smartplatform/",
            )
        )
    )


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
