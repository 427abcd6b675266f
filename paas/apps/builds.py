"""A build: one attempt to turn a pushed commit into an image."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.errors import PlatformError

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


def check_transition(before: BuildStatus, after: BuildStatus) -> None:
    """A build ends once: pending → succeeded | failed. Raises PlatformError for anything else."""
    if before is not BuildStatus.PENDING and before is not after:
        raise PlatformError(f"a build that {before} can't become {after}")
