"""Apps: whole when a change returns, clean when it fails."""

import asyncio
import gc
from pathlib import Path

import pytest

from paas.errors import NotFound, UserError
from paas.store import apps
from tests.paas.provisioner.world import Run, World


def repositories(world: World) -> list[Path]:
    return sorted(world.platform.settings.repositories.glob("*"))


def test_a_name_that_is_taken_leaves_no_repository(run: Run) -> None:
    async def story(world: World) -> None:
        await world.operations.apps.create("hello", "me")
        before = repositories(world)
        with pytest.raises(UserError, match="already taken"):
            await world.operations.apps.create("hello", "me")
        assert repositories(world) == before != []

    run(story)


def test_a_destroyed_app_leaves_nothing(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        release = await world.current(app)
        assert release is not None
        world.node.images["x"] = {"uuid": "x", "tags": {"smartplatform:app": app.id}}
        await world.operations.apps.destroy(app)
        await world.until(lambda: not world.node.machines and "x" not in world.node.images)
        await world.until(lambda: not repositories(world))
        assert world.platform.outputs.of(app.id) == []
        with pytest.raises(NotFound):
            await world.operations.apps.destroy(app)
        await world.until(lambda: gc.collect() >= 0 and not world.platform.locks._locks)

    run(story)


def test_an_app_can_be_destroyed_while_the_router_is_away(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        await asyncio.wait_for(world.operations.apps.destroy(app), 30)
        assert await world.platform.database.run(apps.by_id, app.id) is None

    run(story, router=folder / "none")


def test_a_name_and_domains_change_though_the_router_is_away(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        assert (await world.operations.apps.rename(app, "other")).name == "other"
        assert (await world.operations.apps.set_maintenance(app, True)).maintenance
        await world.operations.domains.add(app, "www.example.com")
        assert world.platform.routes.behind

    run(story, router=folder / "none")
