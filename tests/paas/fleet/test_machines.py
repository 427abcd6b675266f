"""Following the node: what is known stays true through its restarts, and no wait is for ever."""

import asyncio

import pytest

from paas.fleet.machines import Machines
from paas.node.errors import NodeError
from tests.paas.provisioner.fake_node import FakeNode
from tests.paas.provisioner.world import Run, World


def test_what_went_while_the_node_was_away_is_told_when_it_is_back(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        (uuid,) = world.node.machines
        machines = world.platform.machines
        gone = asyncio.create_task(
            machines.wait(uuid, lambda machine: True if machine is None else None, 60)
        )
        await world.until(lambda: uuid in machines.known)
        await world.node.stop()
        await world.until(lambda: not machines.connected.is_set())
        world.node.machines.clear()
        await world.node.start()
        assert await gone

    run(story)


def test_a_wait_has_an_end_and_leaves_no_listener(run: Run) -> None:
    async def story(world: World) -> None:
        machines = world.platform.machines
        before = len(machines._listeners)
        with pytest.raises(TimeoutError):
            await machines.wait("none", lambda machine: machine, 0.05)
        assert len(machines._listeners) == before

    run(story)


def test_a_node_that_stays_away_is_given_up(run: Run) -> None:
    async def story(world: World) -> None:
        await world.node.stop()
        with pytest.raises(NodeError) as caught:
            await world.platform.machines.persist(world.platform.node.list, 0.3)
        assert caught.value.code == "Unavailable"
        await world.node.start()

    run(story)


def test_a_refusal_is_not_tried_again(run: Run) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeError) as caught:
            await world.platform.machines.persist(lambda: world.platform.node.get("none"), 10)
        assert caught.value.code == "VmNotFound"
        assert world.node.asked.count(("get", "none")) == 1

    run(story)


def test_one_platform_may_follow_as_often_as_it_likes(run: Run) -> None:
    async def story(world: World) -> None:
        node: FakeNode = world.node
        other = Machines(world.platform.node)
        following = asyncio.create_task(other.run())
        await asyncio.wait_for(other.connected.wait(), 30)
        app = await world.deployed("web")
        await world.until(lambda: set(other.known) == set(node.machines))
        following.cancel()
        assert await world.rows(app) == ["web.1"]

    run(story)
