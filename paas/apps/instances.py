"""An instance: a machine that runs one process of a release, such as `web.1`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from paas.errors import UserError


@dataclass(frozen=True)
class Instance:
    """`machine_uuid` names the machine and the instance; `number` counts from 1 in its type."""

    machine_uuid: str
    app_id: str
    release_version: int
    type: str
    number: int
    created_at: datetime

    @property
    def name(self) -> str:
        return f"{self.type}.{self.number}"


class InstanceState(StrEnum):
    """Heroku's words."""

    STARTING = "starting"
    UP = "up"
    CRASHED = "crashed"
    DOWN = "down"


@dataclass(frozen=True)
class InstanceStatus:
    """What an instance does: its state `since` when, the command it runs and its package.

    `machine` is the machine object as the node gives it, or None when there is no machine (yet).
    """

    instance: Instance
    state: InstanceState
    since: datetime
    command: str
    size: str
    machine: Mapping[str, Any] | None = None
    fails_checks: bool = False
    """The router's health checks of it fail, so it gets no requests unless all are so."""
    runtime: str = ""
    """What runs it: `Bun 1.4.5`; empty of a release from before that was kept."""


def parse_name(name: str) -> tuple[str, int | None]:
    """`web.1` → ("web", 1) and `web` → ("web", None); `cron.nightly.1234` is a cron's run. Raises
    UserError."""
    match = re.fullmatch(
        r"(cron\.[a-z][a-z0-9-]{0,29}|[a-zA-Z0-9][a-zA-Z0-9_-]{0,29})(?:\.([1-9][0-9]{0,5}))?", name
    )
    if not match:
        raise UserError(
            "invalid_params", f"{name!r} names no instance", "Say web.1, or web for all."
        )
    return match[1], int(match[2]) if match[2] else None


def free_numbers(taken: Iterable[int], count: int) -> list[int]:
    """The `count` lowest numbers from 1 that are not taken."""
    used = set(taken)
    candidates = range(1, len(used) + count + 1)
    return [number for number in candidates if number not in used][:count]
