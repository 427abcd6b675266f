"""vmadm payloads: what a machine may be told, with vmadm's defaults and messages. Pure.

As on SmartOS `create` and `update` drop what they don't know, and what belongs to another brand,
with a warning, and refuse bad values by name: `Invalid value(s) for: a,b` and `Missing required
properties: a,b`. What SmartOS has and this node has not is refused by name as well, so that what is
accepted has its effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines import foreign, lists, nested, table
from paas.node.machines.properties import Invalid
from paas.node.machines.table import ABSENT, MAPS, NOT_BUILT_BRANDS, ZERO_UUID, ZONES, Property

__all__ = ["MAPS", "TABLE", "ZERO_UUID", "BadPayload", "create", "recorded", "update", "validate"]

TABLE: dict[str, Property] = {row.name: row for row in (*table.ROWS, *lists.ROWS, *foreign.ROWS)}
_ALIASES = {"dataset_uuid": "image_uuid", "zfs_storage_pool_name": "zpool"}
_DEFAULT_BRAND = "joyent"
_UNSET = object()


class BadPayload(NodeError):
    """vmadm's own message; the lists name the properties. `not_built` is name → why."""

    def __init__(
        self,
        bad_values: Sequence[str] = (),
        missing_properties: Sequence[str] = (),
        not_built: Mapping[str, str] | None = None,
        bad_brand: str = "",
    ) -> None:
        self.bad_values = list(bad_values)
        self.missing_properties = list(missing_properties)
        self.not_built = dict(not_built or {})
        self.bad_brand = bad_brand
        super().__init__("InvalidPayload", "; ".join(self._parts()))

    def _parts(self) -> list[str]:
        parts = []
        if self.bad_brand in NOT_BUILT_BRANDS:
            parts.append(f"The brand {self.bad_brand} is known and not built on this node")
        elif self.bad_brand:
            parts.append(f"Invalid brand while validating payload: {self.bad_brand!r}")
        if self.bad_values:
            parts.append(f"Invalid value(s) for: {','.join(self.bad_values)}")
        if self.missing_properties:
            parts.append(f"Missing required properties: {','.join(self.missing_properties)}")
        if self.not_built:
            names = ", ".join(f"{name} ({why})" for name, why in self.not_built.items())
            parts.append(f"Known and not built on this node: {names}")
        return parts


@dataclass
class _Findings:
    values: dict[str, Any] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    not_built: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def create(payload: Any, *, kernel_version: str = "") -> tuple[dict[str, Any], list[str]]:
    """The machine's properties, and the names of what was dropped. Raises BadPayload."""
    found = _of_create(payload, "C")
    missing = [] if "image_uuid" in found.values else ["image_uuid"]
    if found.bad or missing or found.not_built:
        raise BadPayload(found.bad, missing, found.not_built)
    return _completed(found.values, kernel_version), found.dropped


def recorded(given: Any) -> dict[str, Any]:
    """A record's properties, with the defaults of what is new since. Raises BadPayload.

    What earlier versions recorded and never did is forgotten.
    """
    found = _of_create(given, "C")
    missing = [] if "image_uuid" in found.values else ["image_uuid"]
    if found.bad or missing:
        raise BadPayload(found.bad, missing)
    return _completed(found.values, "")


def update(machine: Mapping[str, Any], payload: Any) -> tuple[dict[str, Any], list[str]]:
    """The machine's properties after `vmadm update`, and what was dropped. Raises BadPayload.

    `set_tags`, `remove_tags` and so on change flat objects key by key.
    """
    payload = _object(payload)
    given = {name: value for name, value in payload.items() if name != "uuid"}
    found = _check(given, machine["brand"], "U")
    changes = found.values
    for name in MAPS:
        _change_map(name, machine, changes, found.bad)
    try:
        lists.changed(machine, changes)
    except Invalid as error:
        found.bad.append(str(error))
    if found.bad or found.not_built:
        raise BadPayload(found.bad, [], found.not_built)
    if "ram" in changes:
        changes.setdefault("max_physical_memory", changes["ram"])
    kept = {name: value for name, value in {**machine, **changes}.items() if value is not _UNSET}
    grown = "max_physical_memory" in changes
    return _completed(kept, "", given=set(changes) if grown else None), found.dropped


def validate(action: str, brand: str | None, payload: Any) -> dict[str, Any] | None:
    """As `vmadm validate` says it: None, or the lists of what is wrong, dropped names too."""
    if not isinstance(brand, str) or brand not in ZONES:
        return {"bad_brand": brand if isinstance(brand, str) else "undefined"}
    payload = _object(payload)
    found = _check(payload, brand, "C" if action == "create" else "U")
    needs_image = action == "create" and not {"image_uuid", "dataset_uuid"} & payload.keys()
    problems: dict[str, Any] = {
        "bad_values": found.bad,
        "bad_properties": found.dropped,
        "missing_properties": ["image_uuid"] if needs_image else [],
    }
    if found.not_built:
        problems["not_built"] = found.not_built
    return problems if any(problems.values()) else None


def dropped(payload: Mapping[str, Any], *, update: bool) -> list[str]:
    """The names of a payload that has no effect here; of an update, for any brand of zones."""
    given = {name: value for name, value in payload.items() if not update or name != "uuid"}
    brand = payload.get("brand", _DEFAULT_BRAND)
    brand = "lx" if update or brand not in ZONES else brand
    return _check(given, brand, "U" if update else "C").dropped


def _of_create(payload: Any, action: str) -> _Findings:
    payload = _object(payload)
    brand = payload.get("brand", _DEFAULT_BRAND)
    if not isinstance(brand, str) or brand not in ZONES:
        raise BadPayload(bad_brand=str(brand)[:64] or "undefined")
    found = _check(payload, brand, action)
    found.values = {name: value for name, value in found.values.items() if value is not _UNSET}
    for old, name in _ALIASES.items():
        if old in found.values:
            found.values.setdefault(name, found.values[old])
            del found.values[old]
    if found.values.get("zonename", found.values.get("uuid")) != found.values.get("uuid"):
        found.bad.append("zonename")
    return found


def _object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict) or not all(isinstance(name, str) for name in payload):
        raise BadPayload(["payload"])
    return payload


def _check(payload: Mapping[str, Any], brand: str, action: str) -> _Findings:
    found = _Findings()
    for name, value in payload.items():
        row = TABLE.get(name)
        if row is None or not row.applies_to(brand) or action not in row.settable:
            found.dropped.append(name[:64])
            continue
        try:
            _judge(row, value, found)
        except Invalid as error:
            found.bad.append(f"{name}.{error}" if str(error) else name)
    return found


def _judge(row: Property, value: Any, found: _Findings) -> None:
    """Raises Invalid, with the name of the part if it has parts."""
    if row.name in lists.NAMES:
        _check_list(row.name, value, found)
    elif row.standing == ABSENT:
        if not nested.is_built(row, value):
            found.not_built[row.name] = row.why
    elif value in (None, "") and row.kind in ("integer", "string"):
        found.values[row.name] = _UNSET
    else:
        found.values[row.name] = row.check(value)


def _check_list(name: str, value: Any, found: _Findings) -> None:
    kind = lists.NAMES[name]
    items, bad, refused, dropped = nested.check(kind, value)
    found.bad += bad
    found.dropped += dropped
    for path in refused:
        found.not_built[path] = nested.NESTED[kind][path.rpartition(".")[2]].why
    if name == "nics" and len(items) > 1:
        found.not_built["nics"] = table.ONE_NIC
    if not bad:
        found.values[name] = lists.whole(name, items) if name == kind else items


def _completed(
    values: dict[str, Any], kernel_version: str, given: set[str] | None = None
) -> dict[str, Any]:
    """With defaults, and what follows from other values."""
    for name, row in TABLE.items():
        if row.default is not None and row.applies_to(values.get("brand", _DEFAULT_BRAND)):
            values.setdefault(name, _copy(row.default))
    if "uuid" not in values:
        from uuid import uuid4

        values["uuid"] = str(uuid4())
    values.setdefault("zonename", values["uuid"])
    values.setdefault("hostname", values["zonename"])
    if values["brand"] == "lx":
        values.setdefault("kernel_version", kernel_version)
    if not values.get("cpu_cap"):
        values.pop("cpu_cap", None)
    values.setdefault("max_physical_memory", values.get("ram", 256))
    _clamp(values, set(values) if given is None else given)
    return values


def _change_map(
    name: str, machine: Mapping[str, Any], changes: dict[str, Any], bad: list[str]
) -> None:
    added = changes.pop(f"set_{name}", {})
    removed = changes.pop(f"remove_{name}", [])
    kept = {key: value for key, value in machine[name].items() if key not in removed}
    try:
        changed = TABLE[name].check({**kept, **added})
    except Invalid as error:
        bad.append(f"set_{name}.{error}" if str(error) else f"set_{name}")
        return
    if changed != machine[name]:
        changes[name] = changed


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
