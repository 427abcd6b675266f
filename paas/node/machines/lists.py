"""The table's rows that are lists of objects: nics and filesystems, and their changes by update.

Pure.
"""

from collections.abc import Mapping
from typing import Any

from paas.node.machines import nested, properties
from paas.node.machines.properties import Invalid
from paas.node.machines.table import ABSENT, NARROWER, NEVER, NEXT_BOOT, ONE_NIC, OS, Property

_OBJECTS = "objects"
ROWS = (
    Property(
        "nics",
        _OBJECTS,
        settable="CR",
        default=[],
        defaults="one, with an address",
        effect=NEVER,
        standing=NARROWER,
        why=ONE_NIC,
    ),
    Property(
        "add_nics",
        _OBJECTS,
        properties.objects,
        settable="U",
        standing=ABSENT,
        why=ONE_NIC,
        only=([],),
    ),
    Property(
        "remove_nics",
        "list",
        properties.words_of,
        settable="U",
        standing=ABSENT,
        why=ONE_NIC,
        only=([],),
    ),
    Property(
        "update_nics",
        _OBJECTS,
        properties.objects,
        settable="U",
        standing=ABSENT,
        why=ONE_NIC,
        only=([],),
    ),
    Property("filesystems", _OBJECTS, brands=OS, settable="CR", default=[], effect=NEXT_BOOT),
    Property("add_filesystems", _OBJECTS, brands=OS, settable="U", effect=NEXT_BOOT),
    Property(
        "remove_filesystems", "list", properties.words_of, brands=OS, settable="U", effect=NEXT_BOOT
    ),
    Property("update_filesystems", _OBJECTS, brands=OS, settable="U", effect=NEXT_BOOT),
)
NAMES = {
    "nics": "nics",
    "filesystems": "filesystems",
    "add_filesystems": "filesystems",
    "update_filesystems": "filesystems",
}
"""Payload's name → whose rows its items have."""


def whole(name: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a machine may have. Raises Invalid with the name of what is wrong."""
    return nested.nics(items) if name == "nics" else nested.filesystems(items)


def changed(machine: Mapping[str, Any], changes: dict[str, Any]) -> None:
    """Apply add_, update_ and remove_filesystems to `changes`, each found by its target.

    Raises Invalid with the name of the change that can't be.
    """
    has = {item["target"]: item for item in machine.get("filesystems", [])}
    before = dict(has)
    for target in changes.pop("remove_filesystems", []):
        has.pop(target, None)
    for item in changes.pop("update_filesystems", []):
        if item.get("target") not in has:
            raise Invalid("update_filesystems.*.target")
        has[item["target"]] = {**has[item["target"]], **item}
    for item in changes.pop("add_filesystems", []):
        if item.get("target") in has:
            raise Invalid("add_filesystems.*.target")
        has[item.get("target", "")] = item
    if has != before:
        try:
            changes["filesystems"] = nested.filesystems(list(has.values()))
        except Invalid as error:
            raise Invalid(f"filesystems.{error}") from None
