"""A machine as the node knows it: what it was told to be, what it should be, and what it is.

What is under way is recorded before it is done (`state`). Uid ranges, addresses and MACs follow
from the slot.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from paas.node import words


@dataclass(frozen=True)
class Machine:
    """`properties` are vmadm's, checked. `wanted` is what it should be: running or stopped.

    `state` is vmadm's: `provisioning` until the dataset is whole, `running`, `stopped`, `failed`
    (with `failure`), `receiving` (whole, until `vmadm install`), and `deleting`. `pid` is the first
    process's on the host.
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
    first_listening_timestamp: int | None = None
    """Since it was made: its health is asked for until then, and is the router's matter after."""
    listened: str | None = None
    """How it listened before its process ended, while that is about to be started again."""
    unreachable: Mapping[str, Any] = field(default_factory=dict)
    """While it is asked in vain: what listens in it, and what became of the question."""
    measures: Mapping[str, float] = field(default_factory=dict)
    snapshots: Sequence[Mapping[str, str]] = ()
    """`name` and `created_at` of each, oldest first."""
    becomes: str | None = None
    """The image that its dataset is being made into; the machine is gone when that is there."""
    reprovisions: str | None = None
    """The image that its dataset is being replaced from."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.properties["internal_metadata"]
        return found

    @property
    def kind(self) -> str:
        """The cgroup's class: `machines` or `builds`."""
        return str(self.metadata.get(words.CLASS, words.MACHINES))

    @property
    def quota_bytes(self) -> int | None:
        quota: int = self.properties["quota"]
        return quota * 1024**3 or None

    @property
    def port(self) -> int | None:
        """The number in PORT, for machines that are to be reached."""
        port = self.metadata.get(words.PORT)
        return int(port) if port is not None else None

    @property
    def health(self) -> str | None:
        """The URL that must be answered well before it is ready."""
        url = self.metadata.get(words.HEALTH)
        return str(url) if url is not None else None

    @property
    def restarts(self) -> bool:
        if words.RESTART_POLICY in self.metadata:
            return bool(self.metadata[words.RESTART_POLICY] == "always")
        return bool(self.properties.get("restart_init"))

    @property
    def autoboots(self) -> bool:
        """Whether it boots with the host."""
        return bool(self.properties["autoboot"]) and words.RESTART_POLICY not in self.metadata

    def command(self) -> list[str]:
        if words.COMMAND not in self.metadata:
            return [str(self.properties.get("init_name", "/sbin/init"))]
        argv: list[str] = json.loads(str(self.metadata[words.COMMAND]))
        return argv

    def environment(self) -> list[str]:
        items: list[str] = json.loads(str(self.metadata.get(words.ENVIRONMENT, "[]")))
        return items

    def images(self) -> set[str]:
        """Uuids of the images that this machine pins."""
        keys = (words.STACK, *words.RUNTIMES.values())
        pinned = {str(self.metadata[key]) for key in keys if key in self.metadata}
        coming = {self.reprovisions} if self.reprovisions else set()
        return pinned | {self.properties["image_uuid"]} | coming


def now() -> str:
    """vmadm's timestamps: UTC with milliseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def changed(machine: Machine, **changes: Any) -> Machine:
    """The machine with other values, and the time of it."""
    return replace(machine, last_modified=now(), **changes)
