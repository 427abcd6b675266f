"""What all parts of a build share: what is to be built, from what, and how that fails."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buildpacks.classic import Buildpack, Order
from buildpacks.findings import Failure, Refused
from buildpacks.plan import Plan, Process
from paas.apps.build_limits import Limits
from paas.builder import images, zone
from paas.builder.apt_packages import Wanted
from paas.builder.slugignore import Ignored
from paas.errors import PlatformError, UserError
from paas.node.client import Node
from paas.platform.timeline import Timeline
from paas.settings import Settings

_OWN_TIMEOUT_S = 120.0

Keep = Callable[[str, str, str], Awaitable[None]]
"""Told of each image (uuid, commit, key of its dependencies) that is the app's trunk from now on,
whatever becomes of the build."""


class BuildFailed(UserError):
    """The app can't be built as it stands. `tail` is the end of the failed step's output, which
    was written as it came; `others` are what has to be changed beside the failure itself."""

    def __init__(self, failure: Failure, tail: str = "", others: Sequence[Failure] = ()) -> None:
        more = f" (and {len(others)} more)" if others else ""
        super().__init__(failure.id, f"{failure.message}{more}", failure.hint)
        self.tail = tail
        self.failures = (failure, *others)


def refused(error: Refused) -> BuildFailed:
    first, *others = error.failures
    return BuildFailed(first, others=others)


Admit = Callable[[Mapping[str, str]], Awaitable[None]]
"""Asked whether what a build makes could run here: raises UserError if not."""


async def everybody(_processes: Mapping[str, str]) -> None:
    """Refuses nothing."""


@dataclass(frozen=True)
class Work:
    """What is to be built, and for whom: all that a build is told.

    `account` is the app's owner, whose other apps' installations may be used.
    `trunk` is the image of the app's newest built tree, if there is one; with `from_nothing` it is
    not used, as if this were the first build. `last_runtimes` are the images of the runtimes that
    the app's current release has, `last_image` its own. `root` is the folder of the repository
    that the app is in. `admit` is told the commit's process types
    before anything is made, and may refuse them.
    """

    settings: Settings
    node: Node
    account: str
    app_id: str
    app_name: str
    build_id: str
    repository: Path
    commit: str
    config: Mapping[str, str]
    limits: Limits
    trunk: str | None
    from_nothing: bool
    keep: Keep
    write: zone.Write
    timeline: Timeline
    last_runtimes: frozenset[str] = frozenset()
    last_image: str | None = None
    root: str = ""
    buildpacks: tuple[Buildpack, ...] = ()
    """What the app names, in their order; none has the platform's own at work."""
    admit: Admit = everybody
    pushed: str = ""
    """What developers call the commit, where it is ours: theirs with its submodules' files."""

    @property
    def source_version(self) -> str:
        return self.pushed or self.commit


@dataclass(frozen=True)
class Origin:
    """An image that differs from the one to be made by nothing but the commit's files."""

    uuid: str
    commit: str
    role: str


@dataclass(frozen=True)
class Start:
    """What a build starts from. Without a trunk (the first build) it is the base image.

    With an `origin` no zone is needed.
    """

    bases: images.Bases
    plan: Plan
    trunk: images.Trunk | None
    runtimes: Mapping[str, str]
    """The images of the plan's runtimes, by their places."""
    large: Mapping[bytes, Path]
    """Paths in the commit that are pointers of Git LFS, and the files with their contents."""
    rehearsed: bool
    """Does the image have a compile cache?"""
    ignored: Ignored
    apt: Wanted
    order: Order = field(default_factory=Order)
    has_profile: bool = False
    """Are there scripts in the commit that are sourced when an instance starts?"""
    origin: Origin | None = None

    @property
    def is_shared(self) -> bool:
        """From another build's installation."""
        return self.trunk is not None and self.trunk.commit is None

    def tree(self, role: str, app_id: str) -> images.Tree:
        """What the build makes of it as the app's trunk or image, if no scripts run."""
        is_trunk = role == "trunk"
        return images.Tree(
            role=role,
            app_id=app_id,
            stack=self.bases.build_stack if is_trunk else self.bases.run_stack,
            runtimes=self.runtimes,
            lock_key=self.plan.dependencies_key,
            scripts_ran=False,
            repeated=(),
            pruned=bool(self.plan.prune.command) and not is_trunk,
            rehearsed=self.rehearsed,
            ignored=self.ignored.key,
            apt=self.apt.key,
            buildpacks=buildpacks_key(self.order) if is_trunk else "",
            manager=self.plan.manager,
        )


def buildpacks_key(order: Order) -> str:
    """Stands for the buildpacks that have been at work in a trunk: a tree of others is no start.
    Those that run later see no trunk."""
    names = "\n".join(each.name for each in order.before if each in order.others)
    return hashlib.sha256(names.encode()).hexdigest() if names else ""


@dataclass(frozen=True)
class Made:
    """Uuids of images: what the next build starts from, and what the release runs.

    `processes` where they are not those of the plan; `known_by` is what other people's buildpacks
    call the app. With a profile scripts of the tree are sourced when an instance starts.
    """

    trunk_uuid: str
    image_uuid: str
    processes: Mapping[str, Process] | None = None
    known_by: str = ""
    has_profile: bool = False


@dataclass(frozen=True)
class Building:
    """A build at work in its zone. `unclaimed` are the images that are deleted when it fails.

    `told` are the variables that other people's buildpacks have set for the steps after them,
    `defaults` the process types of each of them in turn, `detected` what they call the app.
    """

    work: Work
    start: Start
    machine: zone.Zone
    unclaimed: set[str]
    told: dict[str, str] = field(default_factory=dict)
    defaults: list[Mapping[str, str]] = field(default_factory=list)
    detected: list[str] = field(default_factory=list)


async def must(running: Coroutine[Any, Any, zone.Result]) -> None:
    """A command of our own: when it fails, the platform has."""
    async with asyncio.timeout(_OWN_TIMEOUT_S):
        result = await running
    if result.code:
        raise PlatformError(f"the build zone failed ({result.code}): {result.tail}")
