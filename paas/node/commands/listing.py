"""The rows of `vmadm list`: columns, widths and order as SmartOS has them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

from paas.node.machines import lookup

Machine = Mapping[str, Any]
COLUMNS = "uuid,type,ram,state,alias"
ORDER = "ram,uuid"
_COLUMNS = {
    "alias": ("ALIAS", 10),
    "autoboot": ("AUTOBOOT", 8),
    "billing_id": ("BILLING_ID", 36),
    "boot_timestamp": ("BOOT_TIMESTAMP", 24),
    "brand": ("BRAND", 14),
    "cpu_cap": ("CPU_CAP", 7),
    "cpu_shares": ("CPU_SHARE", 9),
    "cpu_type": ("CPU_TYPE", 8),
    "create_timestamp": ("CREATE_TIMESTAMP", 24),
    "dns_domain": ("DOMAIN", 32),
    "do_not_inventory": ("DNI", 5),
    "docker": ("DOCKER", 6),
    "exit_status": ("EXIT", 4),
    "exit_timestamp": ("EXIT_TIMESTAMP", 24),
    "firewall_enabled": ("FIREWALL_ENABLED", 16),
    "flexible_disk_size": ("FLEX_DISK_SIZE", 14),
    "free_space": ("FREE_SPACE", 14),
    "hostname": ("HOSTNAME", 32),
    "hvm": ("HVM", 5),
    "image_uuid": ("IMAGE_UUID", 36),
    "indestructible_delegated": ("INDESTR_DATA", 12),
    "indestructible_zoneroot": ("INDESTR_ROOT", 12),
    "max_locked_memory": ("MAX_LOCKED", 10),
    "max_lwps": ("MAX_LWP", 7),
    "max_physical_memory": ("MAX_PHYS", 8),
    "max_swap": ("MAX_SWAP", 8),
    "owner_uuid": ("OWNER_UUID", 36),
    "package_name": ("PACKAGE_NAME", 32),
    "package_version": ("PACKAGE_VER", 11),
    "pid": ("PID", 6),
    "qemu_extra_opts": ("QEMU_EXTRA_OPTS", 15),
    "quota": ("QUOTA", 5),
    "ram": ("RAM", 7),
    "state": ("STATE", 16),
    "tmpfs": ("TMPFS", 5),
    "type": ("TYPE", 4),
    "uuid": ("UUID", 36),
    "vcpus": ("VCPUS", 5),
    "zfs_io_priority": ("IO_PRIORITY", 11),
    "zone_state": ("ZONE_STATE", 10),
    "zoneid": ("ZONEID", 6),
    "zonename": ("ZONENAME", 12),
    "zonepath": ("ZONEPATH", 40),
    "zpool": ("ZPOOL", 12),
}
KNOWN = frozenset(_COLUMNS)
_OTHER_WIDTH = 20


def rows(
    machines: Sequence[Machine], columns: Sequence[str], *, parsable: bool, header: bool
) -> Iterator[str]:
    """Lines without their ends. A missing value is `-`, or nothing where a program reads."""
    if header:
        yield _line([_header(column) for column in columns], columns, parsable)
    for vm in machines:
        yield _line([_cell(vm, column, parsable) for column in columns], columns, parsable)


def in_order(machines: Sequence[Machine], keys: Sequence[str]) -> list[Machine]:
    """By properties; `-` before one reverses it. What has no value comes last."""

    def compare(one: Machine, other: Machine) -> int:
        for key in keys:
            name, direction = key.lstrip("+-"), -1 if key.startswith("-") else 1
            first, second = _rank(lookup.value(one, name)), _rank(lookup.value(other, name))
            if first != second:
                return direction if first > second else -direction
        return 0

    return sorted(machines, key=cmp_to_key(compare))


def _line(cells: Sequence[str], columns: Sequence[str], parsable: bool) -> str:
    if parsable:
        return ":".join(cells).rstrip()
    pairs = zip(cells, columns, strict=True)
    return "  ".join(cell.ljust(_width(column)) for cell, column in pairs).rstrip()


def _header(column: str) -> str:
    return _COLUMNS[column][0] if column in _COLUMNS else column.upper()


def _width(column: str) -> int:
    return _COLUMNS[column][1] if column in _COLUMNS else max(_OTHER_WIDTH, len(column))


def _cell(vm: Machine, column: str, parsable: bool) -> str:
    """As JavaScript has it there: false, null and the empty text are no value, 0 is one."""
    found = lookup.value(vm, column)
    if found is False or found is None or found == "":
        return "" if parsable else "-"
    if isinstance(found, list) and not any(isinstance(item, (dict, list)) for item in found):
        return ",".join(lookup.text(item) for item in found)
    return lookup.text(found)[:4] if column == "type" else lookup.text(found)


def _rank(found: Any) -> tuple[int, float, str]:
    if found is None or found is False or found == "":
        return (2, 0.0, "")
    if isinstance(found, (int, float)):
        return (0, float(found), "")
    return (1, 0.0, lookup.text(found))
