"""Housekeeping: what runs or can run again stays, the rest goes, and nothing grows for ever."""

import asyncio
import os
import time
from typing import Any

import pytest

from paas.apps.releases import RELEASES_KEPT, ReleaseStatus
from paas.control import housekeeping
from paas.logs.retention import KEEP_S
from paas.store import builds, outputs, releases
from paas.store.sql.row import new_id
from tests.paas.provisioner.world import Run, World

BUILD = "smartplatform:build"
keep_house = housekeeping.run


def install(world: World, uuid: str, build: str = "over") -> str:
    world.node.images[uuid] = {"uuid": uuid, "tags": {"smartplatform:role": "app", BUILD: build}}
    return uuid


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds of control's own would make the tests' ones undecidable."""

    async def never(_platform: Any) -> None:
        return

    monkeypatch.setattr(housekeeping, "run", never)


def test_images_that_can_not_run_again_go(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        kept = [install(world, new_id()) for _ in range(RELEASES_KEPT + 2)]
        database = world.platform.database
        for uuid in kept:
            release = await world.release(app, image=uuid)
            await database.run(releases.set_status, release.id, ReleaseStatus.SUCCEEDED)
        failed = await world.release(app, image=install(world, new_id()))
        await database.run(releases.set_status, failed.id, ReleaseStatus.FAILED)
        pending = await world.release(app, image=install(world, new_id()))
        build = await database.run(builds.insert, app_id=app.id, commit="1" * 40, user="me")
        under_way = install(world, new_id(), build.id)
        install(world, new_id())
        await housekeeping.clean(world.platform)
        newest = kept[-(RELEASES_KEPT - 1) :]
        assert set(world.node.images) == {*newest, pending.image_uuid, under_way}

    run(story)


def test_outputs_end_with_the_logs_they_name(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        folder = world.platform.settings.logs / "machines"
        old, fresh, without = new_id(), new_id(), new_id()
        for uuid in (old, fresh, without):
            await world.platform.database.run(outputs.add, uuid, app.id, "web.1")
            world.platform.outputs.add(app.id, uuid, "web.1")
        for uuid in (old, fresh):
            (folder / f"{uuid}.log").write_text("x")
        long_ago = time.time() - KEEP_S - 1
        os.utime(folder / f"{old}.log", (long_ago, long_ago))
        (machine,) = world.node.machines
        await housekeeping._forget_outputs(world.platform)
        assert {uuid for uuid, _ in world.platform.outputs.of(app.id)} == {fresh, machine}
        rows = await world.platform.database.run(outputs.for_app, app.id)
        assert {row.machine_uuid for row in rows} == {fresh, machine}

    run(story)


def test_it_ends_when_it_is_cancelled_as_it_is_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_to_do(_platform: Any) -> None:
        return

    async def story(world: World) -> None:
        for turns in range(6):
            house = asyncio.create_task(keep_house(world.platform))
            for _ in range(5):
                await asyncio.sleep(0)
            world.platform.untidy.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            house.cancel()
            await asyncio.wait({house}, timeout=10)
            assert house.cancelled()

    monkeypatch.setattr(housekeeping, "clean", nothing_to_do)
    run(story)
