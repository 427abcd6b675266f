"""A developer who pushes, and builders that only hand an image over, or do not."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import gitserver
from gitserver import trees
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.apps.releases import Release, ReleaseStatus
from paas.builder import Built, Work
from paas.deploys import push
from paas.store import builds, releases
from paas.store.sql.row import new_id
from tests.paas.provisioner.world import World

MAIN = "refs/heads/main"
Builder = Callable[..., Awaitable[Built]]
Install = Callable[[Builder], None]


class Client:
    """A developer's end of a push."""

    def __init__(self, world: World, app: App) -> None:
        self.world, self.app = world, app
        self.path = world.platform.settings.repository(app.id)
        self.said = ""
        self.cancelled = asyncio.Event()

    def commit(self, text: str) -> str:
        git = ["git", "-C", str(self.path), "-c", "user.name=a", "-c", "user.email=a@b"]
        tree = subprocess.run(
            [*git, "mktree"], input=b"", capture_output=True, check=True, timeout=20
        ).stdout.strip()
        made = subprocess.run(
            [*git, "commit-tree", tree.decode(), "-m", text],
            capture_output=True, check=True, timeout=20,
        )  # fmt: skip
        return made.stdout.decode().strip()

    def head(self, ref: str = MAIN) -> str | None:
        return trees.resolve(self.path, ref)

    async def shows(self, text: str) -> None:
        self.said += text

    async def push(
        self,
        *updates: tuple[str, str | None],
        atomic: bool = False,
        options: tuple[str, ...] = (),
    ) -> Any:
        asked = tuple(gitserver.RefUpdate(ref, self.head(ref), new) for ref, new in updates)
        path = self.path
        incoming = gitserver.Push(
            self.app.name, path, "me", asked, options, self.shows, self.cancelled, atomic=atomic
        )
        return dict(await push.receive(self.world.platform, incoming))

    async def builds(self) -> list[Build]:
        return await self.world.platform.database.run(builds.all, self.app.id)

    async def releases(self) -> list[Release]:
        return await self.world.platform.database.run(releases.all, self.app.id)

    async def nothing_open(self) -> None:
        assert BuildStatus.PENDING not in [item.status for item in await self.builds()]
        assert ReleaseStatus.PENDING not in [item.status for item in await self.releases()]


def built(world: World, commit: str, **changes: Any) -> Built:
    image = new_id()
    world.node.images[image] = {"uuid": image, "tags": {}}
    values: dict[str, Any] = {
        "image_uuid": image,
        "trunk_uuid": new_id(),
        "lock_key": "key",
        "commit": commit,
        "processes": {"web": "node server.js"},
        "commands": {"web": {"argv": ["node", "server.js"], "environment": {}}},
        "runtime_uuid": new_id(),
        "runtime_version": "24.0.0",
        "stack_uuid": new_id(),
        "environment": {},
    }
    return Built(**(values | changes))


def succeeding(world: World, **changes: Any) -> Builder:
    async def build(work: Work) -> Built:
        await work.write("-----> Building\n")
        await work.keep(new_id(), work.commit, "key")
        return built(world, work.commit, **changes)

    return build


def raising(error: BaseException) -> Builder:
    async def build(_work: Work) -> Built:
        raise error

    return build


def hanging(begun: asyncio.Event) -> Builder:
    async def build(_work: Work) -> Built:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    return build
