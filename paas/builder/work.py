"""What all parts of a build share: the order, what it starts from, and how it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buildpacks.findings import Failure
from buildpacks.nodejs import NpmOffer, Plan
from paas.apps.build_limits import Limits
from paas.builder import images, zone
from paas.errors import PlatformError, UserError
from paas.node.client import Node
from paas.platform.timeline import Timeline
from paas.settings import Settings

NPM_CACHE = "/var/tmp/npm"
"""On the zone's disk, because its tmpfs is memory; removed before an image is made."""
_OWN_TIMEOUT_S = 120.0

Keep = Callable[[str, str, str], Awaitable[None]]
"""Told of each image (uuid, commit, key of its dependencies) that is the app's trunk from now on,
whatever becomes of the build."""


class BuildFailed(UserError):
    """The app can't be built as it stands. `tail` is the end of the failed step's output, which
    was written as it came."""

    def __init__(self, failure: Failure, tail: str = "") -> None:
        super().__init__(failure.id, failure.message, failure.hint)
        self.tail = tail


Admit = Callable[[Mapping[str, str]], Awaitable[None]]
"""Asked whether what a build makes could run here: raises UserError if not."""


async def everybody(_processes: Mapping[str, str]) -> None:
    """Refuses nothing."""


@dataclass(frozen=True)
class Work:
    """What all steps of a build share."""

    settings: Settings
    node: Node
    app_id: str
    app_name: str
    build_id: str
    repository: Path
    commit: str
    config: Mapping[str, str]
    limits: Limits
    from_nothing: bool
    keep: Keep
    write: zone.Write
    timeline: Timeline
    last_runtime: str | None
    admit: Admit
    unclaimed: set[str] = field(default_factory=set)
    """Images that are deleted when the build does not come to its end."""


@dataclass(frozen=True)
class Start:
    """What a build starts from. Without a trunk (the first build) it is the base image."""

    bases: images.Bases
    plan: Plan
    trunk: images.Trunk | None
    runtimes: Mapping[str, str]
    npms: NpmOffer


async def must(running: Coroutine[Any, Any, zone.Result]) -> None:
    """A command of our own: when it fails, the platform has."""
    async with asyncio.timeout(_OWN_TIMEOUT_S):
        result = await running
    if result.code:
        raise PlatformError(f"the build zone failed ({result.code}): {result.tail}")
