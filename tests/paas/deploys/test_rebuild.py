"""Builds that nobody pushed."""

import asyncio
from typing import Any

from gitserver import trees
from paas.apps.builds import Build
from paas.builder import Built, Work
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


def _output(world: World, build: Build) -> Any:
    return world.operations.builds.output(build)
