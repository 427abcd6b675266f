"""A release: image + config vars + process types, numbered v1, v2, … Only its status changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from paas.apps.processes import WEB
from paas.errors import NotFound, PlatformError, UserError

RELEASES_KEPT = 10
"""An app keeps so many different images to be rolled back to; older ones are deleted."""

Command = Mapping[str, Any]
"""`{"argv": ["node", "server.js"], "environment": {"NAME": "value"}, "folder": "services/api"}`;
the folder is one of the tree, and left out for its root by releases of earlier versions. That of
web may have a `health_path`, which app.json names."""


class ReleaseStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_TRANSITIONS = {
    ReleaseStatus.PENDING: {ReleaseStatus.SUCCEEDED, ReleaseStatus.FAILED},
    ReleaseStatus.SUCCEEDED: set[ReleaseStatus](),
    ReleaseStatus.FAILED: set[ReleaseStatus](),
}


@dataclass(frozen=True)
class Release:
    """`image_uuid`, `commit` and the two pins are None before the app's first build.

    `processes` maps each process type to its command as written, `commands` to how it is run:
    `{"argv": [...], "environment": {...}, "runtime": "Bun 1.4.5", "runtimes": {"bun": uuid}}`,
    where `runtimes` are the images that its instances mount, by their places. A release from before
    there were several has only `runtime_uuid`, Node.js; now that is the one that the app is known
    by. `stack_uuid` is mounted as well.
    """

    id: str
    app_id: str
    version: int
    description: str
    user: str
    created_at: datetime
    updated_at: datetime
    status: ReleaseStatus = ReleaseStatus.PENDING
    image_uuid: str | None = None
    commit: str | None = None
    runtime_uuid: str | None = None
    stack_uuid: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    commands: Mapping[str, Command] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"v{self.version}"

    @property
    def health_path(self) -> str:
        """What its web instances are asked for, unless the app's routing says otherwise."""
        return str(self.commands.get(WEB, {}).get("health_path", ""))

    @property
    def runtimes(self) -> frozenset[str]:
        """The images of its runtimes."""
        found = {uuid for type_ in self.commands for uuid in self.mounted(type_).values()}
        return frozenset(found | ({self.runtime_uuid} if self.runtime_uuid else set()))

    def mounted(self, type_: str) -> Mapping[str, str]:
        """The runtimes' images that a process type's instances mount, by their places."""
        found: Mapping[str, str] | None = self.commands[type_].get("runtimes")
        if found is not None:
            return found
        return {"node": self.runtime_uuid} if self.runtime_uuid else {}

    @property
    def known_by(self) -> str | None:
        """The runtime of its web process, or of the first process there is."""
        types = sorted(self.commands, key=lambda type_: type_ != "web")
        return next(filter(None, map(self.runtime, types)), None)

    def runtime(self, type_: str) -> str:
        """What runs a process type, as it is shown: `Bun 1.4.5`; empty where nothing says so."""
        return str(self.commands.get(type_, {}).get("runtime", ""))


def check_transition(before: ReleaseStatus, after: ReleaseStatus) -> None:
    """A release ends once; saying the same end again is fine. Raises PlatformError otherwise."""
    if before is not after and after not in _TRANSITIONS[before]:
        raise PlatformError(f"a release that {before} can't become {after}")


def parse_version(text: str) -> int:
    """`v12` or `12` → 12. Raises UserError."""
    match = re.fullmatch(r"v?([1-9][0-9]{0,8})", text)
    if not match:
        raise UserError("invalid_params", f"{text!r} is no version of a release", "Say v12 or 12.")
    return int(match[1])


def check_rollback(target: Release | None, current: Release | None, version: int) -> Release:
    """The release whose image and config a rollback takes. Raises UserError when it can't serve."""
    if target is None:
        raise NotFound(f"There is no release v{version}.", "`paas releases` lists them.")
    if target.status is not ReleaseStatus.SUCCEEDED:
        raise UserError("invalid_params", f"{target.name} {target.status}; it can't be run again.")
    if target.image_uuid is None:
        raise UserError("invalid_params", f"{target.name} has no image: nothing was built by then.")
    if current is not None and target.version == current.version:
        raise UserError("invalid_params", f"{target.name} is the current release already.")
    return target
