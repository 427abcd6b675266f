"""vmadm payloads: what a machine may be told, with vmadm's defaults and messages. Pure.

The properties are those of SmartOS's proptable.js that mean something to an lx zone. As vmadm does,
`create` and `update` drop what they don't know with a warning, and refuse bad values by name:
`Invalid value(s) for: a,b` and `Missing required properties: a,b`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines import properties
from paas.node.machines.properties import Invalid

ZERO_UUID = "00000000-0000-0000-0000-000000000000"
PREFIXES = ("set_", "remove_")
MAPS = ("tags", "customer_metadata", "internal_metadata")


class BadPayload(NodeError):
    """vmadm's own message; `bad_values` and `missing_properties` name the properties."""

    def __init__(self, bad_values: Sequence[str], missing_properties: Sequence[str]) -> None:
        self.bad_values = list(bad_values)
        self.missing_properties = list(missing_properties)
        parts = []
        if missing_properties:
            parts.append(f"Missing required properties: {','.join(missing_properties)}")
        if bad_values:
            parts.append(f"Invalid value(s) for: {','.join(bad_values)}")
        super().__init__("InvalidPayload", "; ".join(parts))


@dataclass(frozen=True)
class Property:
    """`check` gives the value in its own type or raises Invalid; `updatable` after create."""

    check: Callable[[Any], Any]
    default: Any = None
    updatable: bool = True


_TEXT = properties.text(255)
_FLAG = properties.flag
_UUID = properties.uuid
_MIB = properties.integer(1, 1 << 24)

TABLE: dict[str, Property] = {
    "uuid": Property(_UUID, updatable=False),
    "zonename": Property(_UUID, updatable=False),
    "brand": Property(properties.choice("lx"), updatable=False),
    "image_uuid": Property(_UUID, updatable=False),
    "zpool": Property(properties.choice("zones"), "zones", updatable=False),
    "kernel_version": Property(_TEXT),
    "alias": Property(properties.text(189)),
    "hostname": Property(properties.hostname),
    "dns_domain": Property(properties.hostname, "local"),
    "owner_uuid": Property(_TEXT, ZERO_UUID),
    "billing_id": Property(_TEXT, ZERO_UUID),
    "package_name": Property(_TEXT),
    "package_version": Property(_TEXT),
    "autoboot": Property(_FLAG, True),
    "archive_on_delete": Property(_FLAG, False),
    "do_not_inventory": Property(_FLAG, False),
    "indestructible_delegated": Property(_FLAG, False),
    "indestructible_zoneroot": Property(_FLAG, False),
    "firewall_enabled": Property(_FLAG, False),
    "maintain_resolvers": Property(_FLAG, False),
    "docker": Property(_FLAG, False),
    "nowait": Property(_FLAG, False, updatable=False),
    "cpu_shares": Property(properties.integer(1, 65535), 100),
    "cpu_cap": Property(properties.integer(0, 1_000_000)),
    "ram": Property(_MIB),
    "max_physical_memory": Property(_MIB),
    "max_locked_memory": Property(_MIB),
    "max_swap": Property(_MIB),
    "max_lwps": Property(properties.integer(1, 100_000), 2000),
    "tmpfs": Property(properties.integer(0, 1 << 24)),
    "quota": Property(properties.integer(0, 1 << 20), 10),
    "zfs_io_priority": Property(properties.integer(1, 16384), 100),
    "resolvers": Property(properties.addresses, []),
    "nics": Property(properties.nics, [], updatable=False),
    "tags": Property(properties.flat_object, {}),
    "customer_metadata": Property(properties.flat_object, {}),
    "internal_metadata": Property(properties.internal_metadata, {}),
}
_MEMORY = ("max_physical_memory", "max_swap", "max_locked_memory", "tmpfs")


def create(payload: Any, *, kernel_version: str = "") -> tuple[dict[str, Any], list[str]]:
    """The machine's properties, and warnings about what was dropped. Raises BadPayload."""
    payload = _object(payload)
    values, bad, warnings = _check(payload, TABLE)
    missing = [name for name in ("brand", "image_uuid") if name not in payload]
    if bad or missing:
        raise BadPayload(bad, missing)
    for name, rule in TABLE.items():
        if rule.default is not None:
            values.setdefault(name, _copy(rule.default))
    if "uuid" not in values:
        from uuid import uuid4

        values["uuid"] = str(uuid4())
    values.setdefault("zonename", values["uuid"])
    values.setdefault("hostname", values["zonename"])
    values.setdefault("kernel_version", kernel_version)
    values.setdefault("max_physical_memory", values.get("ram", 256))
    _clamp(values, given=set(values))
    return values, warnings


def update(machine: Mapping[str, Any], payload: Any) -> tuple[dict[str, Any], list[str]]:
    """The machine's properties after `vmadm update`. Raises BadPayload.

    `set_tags`, `remove_tags` and so on change flat objects key by key.
    """
    payload = _object(payload)
    changes, bad, warnings = _check(
        {name: value for name, value in payload.items() if name != "uuid"},
        {name: rule for name, rule in TABLE.items() if rule.updatable and name not in MAPS},
    )
    for name in MAPS:
        try:
            _change_map(name, payload, machine, changes)
        except Invalid as error:
            bad.append(str(error))
    if bad:
        raise BadPayload(bad, [])
    warnings = [line for line in warnings if not _is_map_change(line.split("'")[1])]
    if "ram" in changes:
        changes.setdefault("max_physical_memory", changes["ram"])
    values = {**machine, **changes}
    _clamp(values, given=set(changes) if "max_physical_memory" in changes else set(values))
    return values, warnings


def _object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict) or not all(isinstance(name, str) for name in payload):
        raise BadPayload(["payload"], [])
    return payload


def _check(
    payload: Mapping[str, Any], table: Mapping[str, Property]
) -> tuple[dict[str, Any], list[str], list[str]]:
    values: dict[str, Any] = {}
    bad, warnings = [], []
    for name, value in payload.items():
        if name not in table:
            warnings.append(f"the property {name[:64]!r} is not known here and was dropped")
            continue
        try:
            values[name] = table[name].check(value)
        except Invalid as error:
            bad.append(f"{name}.{error}" if str(error) else name)
    return values, bad, warnings


def _change_map(
    name: str, payload: Mapping[str, Any], machine: Mapping[str, Any], changes: dict[str, Any]
) -> None:
    added = payload.get(f"set_{name}", {})
    removed = payload.get(f"remove_{name}", [])
    try:
        if not isinstance(removed, list) or not all(isinstance(key, str) for key in removed):
            raise Invalid
        kept = {key: value for key, value in machine[name].items() if key not in removed}
        changed = TABLE[name].check({**kept, **properties.flat_object(added)})
    except Invalid as error:
        raise Invalid(f"set_{name}") from error
    if changed != machine[name]:
        changes[name] = changed


def _is_map_change(name: str) -> bool:
    return any(name == f"{prefix}{key}" for prefix in PREFIXES for key in MAPS)


def _clamp(values: dict[str, Any], given: set[str]) -> None:
    """ram ≡ max_physical_memory; max_locked_memory ≤ it ≤ max_swap ≥ 256; tmpfs at most it."""
    memory = values["max_physical_memory"]
    values["ram"] = memory
    floor = max(memory, 256)
    swap = values.get("max_swap") if "max_swap" in given else None
    values["max_swap"] = max(swap or floor, floor)
    locked = values.get("max_locked_memory") if "max_locked_memory" in given else None
    values["max_locked_memory"] = min(locked or memory, memory)
    tmpfs = values.get("tmpfs") if "tmpfs" in given else None
    values["tmpfs"] = memory if tmpfs is None else min(tmpfs, memory)


def _copy(default: Any) -> Any:
    return type(default)(default) if isinstance(default, (list, dict)) else default
