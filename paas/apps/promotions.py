"""Promotions: an app's image goes live in other apps of its pipeline, without a build."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.apps.pipelines import Coupling
from paas.apps.releases import Release
from paas.errors import UserError

TARGETS_MAX = 50


class TargetStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Target:
    """One of the apps that are promoted to: its release once there is one, or why it failed."""

    id: str
    promotion_id: str
    app_id: str
    status: TargetStatus = TargetStatus.PENDING
    release_id: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Promotion:
    id: str
    pipeline_id: str
    app_id: str
    """The app whose release it is."""
    release_id: str
    user: str
    created_at: datetime


def status(targets: Sequence[Target]) -> str:
    """Heroku's words: pending or completed, whatever became of each target."""
    pending = any(target.status is TargetStatus.PENDING for target in targets)
    return "pending" if pending else "completed"


def check(
    source: Coupling | None, targets: Sequence[Coupling | None], release: Release | None
) -> Release:
    """The release to promote. Raises UserError for what can't be promoted so."""
    if source is None:
        raise _refused("The app to promote is in no pipeline.")
    if not targets:
        raise _refused("There is no app to promote to.")
    if len(targets) > TARGETS_MAX:
        raise _refused(f"At most {TARGETS_MAX} apps are promoted to at once.")
    for target in targets:
        if target is None or target.pipeline_id != source.pipeline_id:
            raise _refused("An app to promote to is not in the pipeline of the one to promote.")
        if target.app_id == source.app_id:
            raise _refused("An app can't be promoted to itself.")
    if len({target.app_id for target in targets if target}) < len(targets):
        raise _refused("An app to promote to is named twice.")
    if release is None or release.image_uuid is None:
        raise _refused("The app to promote has no release with an image: push to it first.")
    return release


def describe(source: str, release: Release) -> str:
    """What the release of a target is for: `Promote hello-staging v12 1f2e3d4c`."""
    return " ".join(["Promote", source, release.name, (release.commit or "")[:8]]).strip()


def _refused(message: str) -> UserError:
    return UserError("invalid_params", message, "`paas pipelines:info` shows who is in a pipeline.")
