"""A build: one attempt to turn a pushed commit into an image."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.errors import PlatformError, UserError

NAME_CHARACTERS = 40


class BuildStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Build:
    """`image_uuid` and `release_id` are set when it succeeded, else `failure` (for the user).

    One that is made of an archive has a `source_url`, and no `commit` until it was fetched.
    """

    id: str
    app_id: str
    commit: str
    user: str
    created_at: datetime
    updated_at: datetime
    status: BuildStatus = BuildStatus.PENDING
    image_uuid: str | None = None
    release_id: str | None = None
    failure: str | None = None
    source_url: str | None = None
    source_version: str | None = None
    source_checksum: str | None = None

    @property
    def name(self) -> str:
        """What its release and the log call it by."""
        return (self.source_version or "")[:NAME_CHARACTERS] or self.commit[:8] or "of an archive"


@dataclass(frozen=True)
class Deploy:
    """A build that runs or waits: `place` is how many are before it, `step` what it does now."""

    build: Build
    place: int
    waits: bool
    step: str | None = None


def check_cancel(build: Build) -> None:
    """Raises UserError for a build that has ended."""
    if build.status is BuildStatus.PENDING:
        return
    live = build.status is BuildStatus.SUCCEEDED
    hint = "To go back: paas rollback" if live else ""
    raise UserError(
        "invalid_params",
        f"Build {build.id[:8]} has {build.status}; only one that runs or waits can be cancelled.",
        hint,
    )


def check_transition(before: BuildStatus, after: BuildStatus) -> None:
    """A build ends once: pending → succeeded | failed. Raises PlatformError for anything else."""
    if before is not BuildStatus.PENDING and before is not after:
        raise PlatformError(f"a build that {before} can't become {after}")
