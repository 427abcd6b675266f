"""A platform on a database of its own, the fake node and a real router; without root."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitserver import trees
from paas.apps.apps import App
from paas.apps.releases import Release
from paas.control import gitaccess
from paas.control import main as control
from paas.control.compose import compose
from paas.deploys import cut_off
from paas.operations.served import Served, served
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.provisioner.switch import go_live
from paas.settings import Settings
from paas.store import Database, apps, instances, releases
from paas.store.sql.row import new_id, now
from tests.paas.provisioner.fake_node import FakeNode

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Here(Settings):
    """An installation in a temporary folder."""

    folder: Path = Path()
    router: Path = Path()
    boot_timeout_s: float = 30.0
    drain_timeout_s: float = 1.0

    @property
    def state(self) -> Path:
        return self.folder

    @property
    def run(self) -> Path:
        return self.folder

    @property
    def router_socket(self) -> Path:
        return self.router


@dataclass(frozen=True)
class World:
    platform: Platform
    node: FakeNode

    @property
    def operations(self) -> Served:
        return served(self.platform, gitaccess.application(self.platform))

    async def app(self, name: str = "hello") -> App:
        app = App(new_id(), name, "owner@localhost", now())
        await asyncio.to_thread(trees.init, self.platform.settings.repository(app.id))
        return await self.platform.database.run(apps.insert, app)

    async def release(self, app: App, *types: str, image: str | None = None) -> Release:
        """A pending release with an image that is installed."""
        uuid = image or new_id()
        self.node.images.setdefault(uuid, {"uuid": uuid, "tags": {}})
        types = types or ("web",)
        return await self.platform.database.run(
            releases.insert,
            app_id=app.id,
            description="Deploy",
            user="owner@localhost",
            config={},
            processes={type: f"node {type}.js" for type in types},
            commands={type: {"argv": ["node", type], "environment": {}} for type in types},
            image_uuid=uuid,
            commit="1" * 40,
            runtime_uuid=new_id(),
            stack_uuid=new_id(),
        )

    async def deployed(self, *types: str, name: str = "hello") -> App:
        app = await self.app(name)
        await go_live(self.platform, app, await self.release(app, *types), Timeline())
        return app

    async def rows(self, app: App) -> list[str]:
        return [item.name for item in await self.platform.database.run(instances.for_app, app.id)]

    async def current(self, app: App) -> Release | None:
        return await self.platform.database.run(releases.current, app.id)

    async def until(self, condition: Callable[[], Any]) -> None:
        """The condition may be a coroutine function."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = condition()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.01)


Story = Callable[[World], Awaitable[Any]]
Run = Callable[..., Any]


@contextlib.asynccontextmanager
async def world(folder: Path, router: Path, **settings: Any) -> AsyncIterator[World]:
    """Everything that control runs beside its answers, except the git server."""
    here = Here(installation="test-provisioner", folder=folder, router=router, **settings)
    for name in ("machines", "apps"):
        (here.logs / name).mkdir(parents=True, exist_ok=True)
    node = FakeNode(here.node_socket)
    await node.start()
    database = await asyncio.to_thread(Database.open, here.database_url)
    platform = compose(here, database)
    try:
        await cut_off.fail_unfinished(platform)
        async with control._following(platform):
            async with asyncio.timeout(PATIENCE_S):
                await platform.machines.connected.wait()
            yield World(platform, node)
    finally:
        database.close()
        await node.stop()
