"""A machine's state: one JSON file on the pool, beside the datasets, written by rename (0600).

The records are the node's only memory. Addresses, uid ranges and MACs follow from a machine's slot,
and the free slots from the records. What is under way is recorded before it is done (`state`).
"""

import contextlib
import json
import logging
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from paas.errors import PlatformError
from paas.node import words
from paas.node.machines import payload
from paas.node.machines.payload import BadPayload
from paas.system.files import write_by_rename

log = logging.getLogger(__name__)
FIRST_ID = 0x10000000
ID_COUNT = 65536
SLOT_COUNT_MAX = 0x6000
_FIRST_SLOT = 1
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATES = ("provisioning", "running", "stopped", "failed", "deleting")
_RECORD_BYTES_MAX = 16 * 1024 * 1024
_TEXTS = (
    "create_timestamp last_modified failure start_timestamp boot_timestamp exit_timestamp "
    "exit_reason becomes oom_kill_timestamp lwps_hit_timestamp listening listened"
)
_NUMBERS = "pid exit_status init_restarts oom_kills lwps_hits listening_timestamp"
_KINDS = {str: _TEXTS, int: _NUMBERS, dict: "counted measures unreachable", list: "snapshots"}
"""Of a record's fields, as they are in the file. Those whose default is None may be null."""


@dataclass(frozen=True)
class Machine:
    """`properties` are vmadm's, checked. `wanted` is what it should be: running or stopped.

    `state` is vmadm's: `provisioning` until the dataset is whole, `running`, `stopped`, `failed`
    (with `failure`), and `deleting`. `pid` is the first process's on the host.
    """

    uuid: str
    slot: int
    properties: Mapping[str, Any]
    wanted: str = "stopped"
    state: str = "provisioning"
    failure: str | None = None
    pid: int | None = None
    create_timestamp: str = ""
    last_modified: str = ""
    start_timestamp: str | None = None
    """When it was asked to start: a restart after an end of its own is not asked for."""
    boot_timestamp: str | None = None
    exit_status: int | None = None
    exit_timestamp: str | None = None
    exit_reason: str | None = None
    init_restarts: int = 0
    oom_kills: int = 0
    oom_kill_timestamp: str | None = None
    lwps_hits: int = 0
    lwps_hit_timestamp: str | None = None
    counted: Mapping[str, int] = field(default_factory=dict)
    """What of the kernel's counters is in `oom_kills` and `lwps_hits` already."""
    listening: str | None = None
    listening_timestamp: int | None = None
    listened: str | None = None
    """How it listened before its process ended, while that is about to be started again."""
    unreachable: Mapping[str, Any] = field(default_factory=dict)
    """While it is asked in vain: what listens in it, and what became of the question."""
    measures: Mapping[str, float] = field(default_factory=dict)
    snapshots: Sequence[Mapping[str, str]] = ()
    """`name` and `created_at` of each, oldest first."""
    becomes: str | None = None
    """The image that its dataset is being made into; the machine is gone when that is there."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.properties["internal_metadata"]
        return found

    @property
    def first_id(self) -> int:
        """The host's id of the zone's uid and gid 0."""
        return FIRST_ID + self.slot * ID_COUNT

    @property
    def kind(self) -> str:
        """The cgroup's class: `machines` or `builds`."""
        return str(self.metadata.get(words.CLASS, words.MACHINES))

    @property
    def port(self) -> int | None:
        """The number in PORT, for machines that are to be reached."""
        port = self.metadata.get(words.PORT)
        return int(port) if port is not None else None

    @property
    def restarts(self) -> bool:
        return bool(self.metadata.get(words.RESTART_POLICY, "no") == "always")

    @property
    def autoboots(self) -> bool:
        """Whether it boots with the host."""
        return bool(self.properties["autoboot"]) and words.RESTART_POLICY not in self.metadata

    def command(self) -> list[str]:
        argv: list[str] = json.loads(str(self.metadata.get(words.COMMAND, '["/sbin/init"]')))
        return argv

    def environment(self) -> list[str]:
        items: list[str] = json.loads(str(self.metadata.get(words.ENVIRONMENT, "[]")))
        return items

    def images(self) -> set[str]:
        """Uuids of the images that this machine pins."""
        keys = (words.STACK, words.RUNTIME)
        pinned = {str(self.metadata[key]) for key in keys if key in self.metadata}
        return pinned | {self.properties["image_uuid"]}


def _is_restarting(machine: Machine) -> bool:
    """Its process has ended by itself, and the node is about to start it again."""
    if machine.wanted != "running" or machine.state != "stopped":
        return False
    return (machine.exit_timestamp or "") > (machine.start_timestamp or "")


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
    for slot in range(_FIRST_SLOT, most + 1):
        if slot not in used:
            return slot
    raise PlatformError(f"this node is full: {most} machines are all that {network} has room for")


def vm_object(
    machine: Machine, network: IPv4Network, network6: IPv6Network | None, key: str
) -> dict[str, Any]:
    """The machine as `vmadm get` shows it; properties without a value are left out."""
    nic = _nic(machine.slot, network, network6, key)
    state = "provisioning" if machine.state == "deleting" else machine.state
    derived = {
        "v": 1,
        "type": "LX",
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
    kept = {key: value for key, value in shown.items() if value is not None}
    # Always there: their being null is what callers wait on.
    return {
        **kept,
        "listening": machine.listening,
        "listening_timestamp": machine.listening_timestamp,
    }


def _nic(slot: int, network: IPv4Network, network6: IPv6Network | None, key: str) -> dict[str, Any]:
    ips = [f"{address(network, slot)}/{network.prefixlen}"]
    gateways = [str(network.network_address + 1)]
    if network6:
        ips.append(f"{address6(network6, slot)}/{network6.prefixlen}")
        gateways.append(str(network6.network_address + 1))
    return {
        "interface": "eth0",
        "mac": mac(slot, key),
        "ip": str(address(network, slot)),
        "ips": ips,
        "netmask": str(network.netmask),
        "gateway": gateways[0],
        "gateways": gateways,
        "nic_tag": "internal",
        "primary": True,
    }


def now() -> str:
    """vmadm's timestamps: UTC with milliseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


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
    properties, _ = payload.create(fields["properties"])
    machine = Machine(**{**fields, "properties": properties})
    if machine.uuid != path.stem or properties["uuid"] != path.stem:
        raise ValueError(f"it is the record of {machine.uuid!r:.64}")
    if type(machine.slot) is not int or not _FIRST_SLOT <= machine.slot <= SLOT_COUNT_MAX:
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


def changed(machine: Machine, **changes: Any) -> Machine:
    """The machine with other values, and the time of it."""
    return replace(machine, last_modified=now(), **changes)
