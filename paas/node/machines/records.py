"""The machines' records: one JSON file each on the pool, beside the datasets, written by rename.

They are the node's only memory: free slots are those that no record has.
"""

import contextlib
import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from paas.node.machines import payload
from paas.node.machines.machine import Machine
from paas.node.machines.payload import BadPayload
from paas.node.network.addresses import FIRST_SLOT, SLOT_COUNT_MAX
from paas.system.files import write_by_rename

log = logging.getLogger(__name__)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATES = ("provisioning", "receiving", "running", "stopped", "failed", "deleting")
_RECORD_BYTES_MAX = 16 * 1024 * 1024
_TEXTS = (
    "create_timestamp last_modified failure start_timestamp boot_timestamp exit_timestamp "
    "exit_reason becomes reprovisions oom_kill_timestamp lwps_hit_timestamp listening listened"
)
_NUMBERS = (
    "pid exit_status init_restarts oom_kills lwps_hits listening_timestamp "
    "first_listening_timestamp"
)
_KINDS = {str: _TEXTS, int: _NUMBERS, dict: "counted measures unreachable", list: "snapshots"}
"""Of a record's fields, as they are in the file. Those whose default is None may be null."""


class Records:
    """The folder of records: `<pool>/.machines/<uuid>.json`."""

    def __init__(self, pool_root: Path) -> None:
        self.folder = pool_root / ".machines"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self) -> tuple[dict[str, Machine], dict[str, str]]:
        """Every machine; and why a file can't be one, by the uuid that the file is named for."""
        whole: dict[str, Machine] = {}
        broken: dict[str, str] = {}
        slots: dict[int, str] = {}
        for unfinished in self.folder.glob("*.new"):
            unfinished.unlink()
        for path in sorted(self.folder.glob("*.json")):
            if not _UUID.fullmatch(path.stem):
                log.warning("%s is named for no machine, and left alone", path)
                continue
            try:
                machine = _read(path)
                if slots.setdefault(machine.slot, machine.uuid) != machine.uuid:
                    raise ValueError(f"slot {machine.slot} is machine {slots[machine.slot]}'s")
                whole[machine.uuid] = machine
            except (OSError, ValueError, TypeError, KeyError, RecursionError, BadPayload) as error:
                broken[path.stem] = f"its record {path} can't be read: {error}"
        return whole, broken

    def save(self, machine: Machine) -> None:
        write_by_rename(self.folder / f"{machine.uuid}.json", json.dumps(asdict(machine)))

    def delete(self, uuid: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.folder / f"{uuid}.json").unlink()


def broken(uuid: str, reason: str) -> Machine:
    """What is shown of a machine whose record can't be read: it has no address (slot 0)."""
    properties, _ = payload.create({"brand": "lx", "image_uuid": payload.ZERO_UUID})
    shown = {**properties, "uuid": uuid, "zonename": uuid, "hostname": uuid}
    return Machine(uuid=uuid, slot=0, properties=shown, state="failed", failure=reason)


def _read(path: Path) -> Machine:
    """Raises ValueError, TypeError, KeyError or BadPayload for a file that is no record."""
    fields = json.loads(_text(path))
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    # What is new in a payload since the record was written gets its default.
    properties = payload.recorded(fields["properties"])
    machine = Machine(**{**fields, "properties": properties})
    if machine.uuid != path.stem or properties["uuid"] != path.stem:
        raise ValueError(f"it is the record of {machine.uuid!r:.64}")
    if type(machine.slot) is not int or not FIRST_SLOT <= machine.slot <= SLOT_COUNT_MAX:
        raise ValueError(f"its slot is {machine.slot!r:.64}")
    _check_kinds(fields)
    if any(not isinstance(item, dict) or "name" not in item for item in machine.snapshots):
        raise ValueError("its snapshots are not a list of names")
    if machine.state not in _STATES or machine.wanted not in ("running", "stopped"):
        raise ValueError(f"it is {machine.state!r:.64} and should be {machine.wanted!r:.64}")
    return machine


def _text(path: Path) -> str:
    """Of a file: neither through a link, nor waiting for who writes into a pipe in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a file")
        return file.read(_RECORD_BYTES_MAX).decode()


def _check_kinds(fields: Mapping[str, Any]) -> None:
    defaults = {item.name: item.default for item in dataclass_fields(Machine)}
    for kind, names in _KINDS.items():
        for name in set(names.split()) & set(fields):
            value = fields[name]
            if type(value) is not kind and not (value is None and defaults[name] is None):
                raise ValueError(f"its {name} is {value!r:.64}")
    if any(type(count) is not int for count in fields.get("counted", {}).values()):
        raise ValueError("its counted are not numbers")
