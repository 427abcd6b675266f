"""Instances: how they are, and restarts."""

import asyncio
from pathlib import Path

import pytest

from paas.errors import NotFound
from tests.paas.provisioner.world import Run, World


def test_a_restart_of_what_does_not_run_says_so(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        with pytest.raises(NotFound, match=r"hello has no web\.2 that runs"):
            await world.operations.dynos.restart(app, name="web.2")

    run(story)


def test_the_state_of_instances_is_what_the_node_says(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (machine,) = world.node.machines.values()

        async def state() -> str:
            (status,) = await world.operations.dynos.all(app)
            return str(status.state)

        assert await state() == "up"
        world.node.change(machine["uuid"], listening=None)

        async def starting() -> bool:
            return await state() == "starting"

        await world.until(starting)
        world.node.change(machine["uuid"], state="stopped", restarting=True)

        async def crashed() -> bool:
            return await state() == "crashed"

        await world.until(crashed)

    run(story)


def test_instances_that_fail_their_checks_are_told_from_those_that_do_not(run: Run) -> None:
    """The router asks them; nobody listens at the fake node's instances."""

    async def story(world: World) -> None:
        app = await world.deployed("web")
        assert [one.fails_checks for one in await world.operations.dynos.all(app)] == [False]
        app = await world.operations.routing.change(app, {"health_path": "/up"}, "me")
        async with asyncio.timeout(60):
            while True:
                [one] = await world.operations.dynos.all(app)
                if one.fails_checks:
                    break
                await asyncio.sleep(0.2)
        app = await world.operations.routing.change(app, {"health_path": ""}, "me")
        assert [one.fails_checks for one in await world.operations.dynos.all(app)] == [False]

    run(story)


def test_without_a_router_no_instance_is_known_to_fail(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        app = await world.operations.routing.change(app, {"health_path": "/up"}, "me")
        assert [one.fails_checks for one in await world.operations.dynos.all(app)] == [False]

    run(story, router=folder / "none")
