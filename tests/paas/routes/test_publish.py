"""Routes: what is said to be published is obeyed, and what was not sent is sent later."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from paas.errors import PlatformError
from paas.fleet.machines import Machines
from paas.routes import publish as routes
from router.wire import frames
from tests.paas.provisioner.world import Run, World
from tests.router.conftest import PATIENCE_S, Router


async def in_force(world: World) -> dict[str, Any]:
    return await world.platform.router.status()


def test_a_table_is_in_force_when_publish_returns(run: Run) -> None:
    async def story(world: World) -> None:
        before = (await in_force(world))["version"]
        await world.app()
        await world.platform.routes.publish()
        async with world.platform.routes._lock:  # what control publishes itself is over, or waits
            status = await in_force(world)
        assert status["version"] > before
        assert [hand["version"] for hand in status["workers"]] == [status["version"]]

    run(story)


def test_a_clock_that_went_back_does_not_stop_the_tables(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.platform.routes.publish()
        before = (await in_force(world))["version"]
        monkeypatch.setattr(routes.time, "time_ns", lambda: 5_000_000)
        again = routes.Routes(
            world.platform.settings,
            world.platform.database,
            world.platform.machines,
            world.platform.router,
        )
        await again.publish()
        assert (await in_force(world))["version"] > before

    run(story)


def test_a_control_that_does_not_know_yet_what_runs_leaves_the_routes_alone(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        platform = world.platform
        unaware = routes.Routes(
            platform.settings, platform.database, Machines(platform.node), platform.router
        )
        async with platform.routes._lock:  # what control publishes itself is over, or waits
            before = await in_force(world)
            with pytest.raises(PlatformError, match="the node has not told"):
                await unaware.publish()
            assert (await in_force(world))["version"] == before["version"]

    run(story)


def test_one_that_could_not_be_sent_is_sent_when_the_router_is_there(
    run: Run, folder: Path
) -> None:
    tables: list[dict[str, Any]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await frames.read(reader)
        assert request is not None
        tables.append(request["table"])
        version = request["table"]["version"]
        writer.write(frames.encode({"type": "applied", "version": version}))
        await writer.drain()
        writer.close()

    async def story(world: World) -> None:
        await world.app()
        with pytest.raises(PlatformError, match="the router does not answer"):
            await world.platform.routes.publish()
        server = await asyncio.start_unix_server(talk, world.platform.settings.router_socket)
        await world.until(lambda: tables and not world.platform.routes.behind)
        assert [app["name"] for app in tables[-1]["apps"]] == ["hello"]
        server.close()

    run(story, router=folder / "late")


def test_a_publish_that_is_cancelled_is_made_up_for(run: Run, folder: Path) -> None:
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await frames.read(reader)
        assert request is not None
        first = not asked.is_set()
        asked.set()
        if first:
            await reader.read()
        else:
            version = request["table"]["version"]
            writer.write(frames.encode({"type": "applied", "version": version}))
        writer.close()

    async def story(world: World) -> None:
        server = await asyncio.start_unix_server(talk, world.platform.settings.router_socket)
        publishing = asyncio.create_task(world.platform.routes.publish())
        await asked.wait()
        publishing.cancel()
        await asyncio.wait({publishing})
        assert publishing.cancelled()
        await world.until(lambda: not world.platform.routes._dirty.is_set())
        server.close()

    run(story, router=folder / "slow")


async def _newer(world: World, version: int) -> int:
    """The version in force, once it is newer."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := int((await in_force(world))["version"])) <= version:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


def test_a_router_that_lost_its_table_is_given_it_again(run: Run, tmp_path: Path) -> None:
    """Nothing changes meanwhile but that it was started again."""
    router = Router(tmp_path)

    async def story(world: World) -> None:
        await world.app()
        await world.platform.routes.publish()
        before = (await in_force(world))["version"]
        for _ in range(2):
            await asyncio.to_thread(router.process.kill)
            await asyncio.to_thread(router.process.wait)
            (tmp_path / "table.json").unlink()
            await asyncio.to_thread(router.start)
            before = await _newer(world, before)

    try:
        run(story, router=router.control)
    finally:
        router.stop()
