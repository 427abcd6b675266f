from dataclasses import replace
from datetime import UTC, datetime

import pytest

from paas.apps import builds
from paas.apps.builds import BuildStatus
from paas.apps.releases import (
    Release,
    ReleaseStatus,
    check_rollback,
    check_transition,
    parse_version,
)
from paas.errors import NotFound, PlatformError, UserError

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
GOOD = Release(
    id="r1",
    app_id="a1",
    version=1,
    description="",
    user="u",
    created_at=MOMENT,
    updated_at=MOMENT,
    status=ReleaseStatus.SUCCEEDED,
    image_uuid="i1",
)


def test_a_release_ends_once() -> None:
    for end in (ReleaseStatus.SUCCEEDED, ReleaseStatus.FAILED):
        check_transition(ReleaseStatus.PENDING, end)
        check_transition(end, end)
        with pytest.raises(PlatformError):
            check_transition(end, ReleaseStatus.PENDING)
    with pytest.raises(PlatformError):
        check_transition(ReleaseStatus.FAILED, ReleaseStatus.SUCCEEDED)


def test_a_build_ends_once() -> None:
    builds.check_transition(BuildStatus.PENDING, BuildStatus.FAILED)
    with pytest.raises(PlatformError):
        builds.check_transition(BuildStatus.FAILED, BuildStatus.SUCCEEDED)


@pytest.mark.parametrize(("text", "version"), [("v1", 1), ("12", 12)])
def test_versions_are_parsed(text: str, version: int) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "v", "v0", "1.2", "-1", "v1 ", "１"])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_version(text)


def test_a_rollback_takes_a_release_that_ran() -> None:
    assert check_rollback(GOOD, replace(GOOD, version=2), 1) is GOOD


def test_a_rollback_to_anything_else_is_refused() -> None:
    with pytest.raises(NotFound):
        check_rollback(None, GOOD, 7)
    with pytest.raises(UserError, match="failed"):
        check_rollback(replace(GOOD, status=ReleaseStatus.FAILED), None, 1)
    with pytest.raises(UserError, match="no image"):
        check_rollback(replace(GOOD, image_uuid=None), None, 1)
    with pytest.raises(UserError, match="current release"):
        check_rollback(GOOD, GOOD, 1)
