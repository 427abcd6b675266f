"""Builds that nobody pushed."""

import asyncio
from typing import Any

from gitserver import trees
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.builder import Built, Work
from paas.operations.builds import POLL_S
from paas.store import apps
from tests.paas.deploys.pushing import MAIN, Client, Install, built, hanging, succeeding
from tests.paas.provisioner.world import Run, World


def test_a_push_and_a_rebuild_can_ask_for_a_build_from_nothing(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        asked: list[bool] = []

        async def build(work: Work) -> Built:
            asked.append(work.from_nothing)
            return built(world, work.commit)

        builder(build)
        client = Client(world, await world.app())
        for options in ((), ("no-cache",)):
            commit = client.commit(f"with {options}")
            assert await client.push((MAIN, commit), options=options) == {MAIN: None}
        await world.operations.builds.start(client.app, commit, "me", from_nothing=True)
        await world.until(lambda: not world.platform.deploying.apps)
        assert asked == [False, True, True]

    run(story)


def test_destroying_the_app_cancels_a_build_that_nobody_watches(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        assert await client.push((MAIN, commit)) == {MAIN: None}
        begun = asyncio.Event()
        builder(hanging(begun))
        await world.operations.builds.start(client.app, commit, "me")
        await begun.wait()
        await world.operations.apps.destroy(client.app)
        assert await world.platform.database.run(apps.all) == []
        await world.until(lambda: not world.platform.deploying.apps and not world.node.machines)

    run(story)


def test_a_rebuild_needs_no_client_and_leaves_a_transcript(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        trees.set_ref(client.path, MAIN, commit)
        build = await world.operations.builds.start(client.app, None, "me")
        lines = [line async for line in _output(world, build)]
        assert any("Released v1" in line for line in lines)
        assert world.node.running() == ["web.1"]

    run(story)


class SlowTerminal(Client):
    """Takes nothing more once it is told of the release, until it may."""

    def __init__(self, world: World, app: App) -> None:
        super().__init__(world, app)
        self.told, self.goes_on = asyncio.Event(), asyncio.Event()

    async def shows(self, text: str) -> None:
        if "Released v1" in text:
            self.told.set()
            await self.goes_on.wait()


def test_who_watches_a_build_sees_its_last_line_though_it_has_succeeded_before(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = SlowTerminal(world, await world.app())
        commit = client.commit("one")
        pushing = asyncio.create_task(client.push((MAIN, commit)))
        await client.told.wait()
        [build] = await client.builds()
        assert build.status is BuildStatus.SUCCEEDED
        watching = asyncio.create_task(_lines(world, build))
        done, _ = await asyncio.wait([watching], timeout=3 * POLL_S)
        assert not done
        client.goes_on.set()
        assert await pushing == {MAIN: None}
        assert any("Released v1" in line for line in await watching)

    run(story)


async def _lines(world: World, build: Build) -> list[str]:
    return [line async for line in _output(world, build)]


def _output(world: World, build: Build) -> Any:
    return world.operations.builds.output(build)
