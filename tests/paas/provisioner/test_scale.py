"""Scaling is whole or nothing too: up, down, to none and back, larger, and with failing starts."""

from collections.abc import Callable
from typing import Any

import pytest

from paas.apps.formation import FormationEntry, for_processes, parse_change
from paas.errors import UserError
from paas.node.errors import NodeError
from paas.platform.timeline import Timeline
from paas.provisioner import room
from paas.provisioner.boot import StartFailed
from paas.provisioner.room import NoRoom
from paas.provisioner.scale import converge
from paas.store import accounts, formation, instances, releases
from tests.paas.provisioner.fake_node import well_behaved
from tests.paas.provisioner.world import Run, World


async def scale(world: World, app: Any, *changes: str) -> Any:
    return await world.operations.formation.scale(
        app, [parse_change(text) for text in changes], "me"
    )


def failing(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda machine: "exits" if machine["alias"].endswith(name) else well_behaved(machine)


def test_to_none_and_back(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        await scale(world, app, "web=0")
        assert await world.rows(app) == []
        await world.until(lambda: not world.node.machines)
        await scale(world, app, "web=2")
        assert await world.rows(app) == world.node.running() == ["web.1", "web.2"]

    run(story)


def test_what_fails_leaves_formation_and_instances_as_they_were(run: Run) -> None:
    """Less of one type and more of another: the less must wait for the more."""

    async def story(world: World) -> None:
        app = await world.deployed("web", "worker")
        await scale(world, app, "web=3")
        before = await world.platform.database.run(formation.get, app.id)
        present = await world.platform.database.run(instances.for_app, app.id)
        world.node.behaviour = failing("worker.1")
        with pytest.raises(StartFailed, match=r"worker\.1 exited with status 1"):
            await scale(world, app, "web=1", "worker=1")
        assert await world.platform.database.run(formation.get, app.id) == before
        assert await world.platform.database.run(instances.for_app, app.id) == present
        await world.until(lambda: world.node.running() == ["web.1", "web.2", "web.3"])

    run(story)


def test_another_size_replaces_the_instances(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (before,) = world.node.named("web.1")
        await scale(world, app, "web=2:standard-1g")
        assert await world.rows(app) == ["web.1", "web.2"]
        await world.until(lambda: before["uuid"] not in world.node.machines)
        sizes = [item["max_physical_memory"] for item in world.node.machines.values()]
        assert sizes == [1024, 1024]

    run(story)


def test_a_larger_size_that_does_not_start_leaves_the_smaller(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (before,) = world.node.named("web.1")
        world.node.behaviour = failing("web.2")
        with pytest.raises(StartFailed):
            await scale(world, app, "web=2:standard-1g")
        await world.until(lambda: list(world.node.machines) == [before["uuid"]])
        assert await world.rows(app) == ["web.1"]
        (entry,) = await world.platform.database.run(formation.get, app.id)
        assert (entry.quantity, entry.package) == (1, "standard-512m")

    run(story)


def test_what_the_server_has_no_room_for_is_not_begun(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        world.node.free_shares = 384
        before = list(world.node.machines)
        with pytest.raises(NoRoom) as caught:
            await scale(world, app, "web=100")
        assert caught.value.message == (
            "there is no room for 99 more instances on this server: "
            "they ask for 12.375 cores, and 0.375 of the 8 that may be promised are free"
        )
        assert "fewer or smaller" in caught.value.hint
        assert list(world.node.machines) == before
        assert await world.rows(app) == ["web.1"]
        (entry,) = await world.platform.database.run(formation.get, app.id)
        assert entry.quantity == 1
        await scale(world, app, "web=4")
        assert await world.rows(app) == ["web.1", "web.2", "web.3", "web.4"]

    run(story)


@pytest.mark.parametrize(("free_shares", "fits"), [(64, "256m"), (32, "128m"), (0, "")])
def test_the_refusal_names_what_fits_and_where_more_is_promised(
    run: Run, free_shares: int, fits: str
) -> None:
    """Before the first build; and what the hint says to do helps."""

    async def story(world: World) -> None:
        app = await world.app()
        world.node.free_shares = free_shares
        first = (FormationEntry("web", 1),)
        with pytest.raises(NoRoom) as caught:
            await room.check_formation(world.platform, app, first)
        name = world.platform.settings.installation
        assert f"cpu_oversell in /etc/smartplatform/{name}.toml (now 4)" in caught.value.hint
        assert "memory_oversell" not in caught.value.hint
        said = f"There is room for: paas ps:scale web=1:standard-{fits}"
        assert (said in caught.value.hint) == bool(fits)
        if fits:
            await scale(world, app, f"web=1:standard-{fits}")
            chosen = await world.platform.database.run(formation.get, app.id)
            await room.check_formation(world.platform, app, for_processes(chosen, {"web": "x"}))

    run(story)


def test_where_others_have_apps_nobody_is_told_how_much_is_free(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        await world.platform.database.run(accounts.add, "ada@example.com", "", operator=False)
        said = []
        for free_shares in (384, 0):
            world.node.free_shares = free_shares
            with pytest.raises(NoRoom) as caught:
                await scale(world, app, "web=100")
            said.append((caught.value.message, caught.value.hint))
        assert said[0] == said[1]
        assert said[0][0] == "there is no room for 99 more instances on this server"
        assert "ask who operates the platform" in said[0][1]
        error = NodeError("InsufficientCapacity", "there is no room: it asks for 9, 3 are free; x")
        refused = await room.refused(world.platform, error)
        assert str(refused) == "there is no room"

    run(story)


def test_a_full_pool_is_said_as_such_and_undoes_the_whole_scale(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (before,) = world.node.machines
        world.node.behaviour = lambda machine: (
            "full" if machine["alias"].endswith("web.3") else well_behaved(machine)
        )
        with pytest.raises(UserError, match="no room on its disk") as caught:
            await scale(world, app, "web=3")
        assert caught.value.id == "no_space"
        assert "operator" in caught.value.hint
        await world.until(lambda: list(world.node.machines) == [before])
        assert await world.rows(app) == ["web.1"]

    run(story)


def test_room_that_others_took_meanwhile_undoes_the_whole_scale(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (before,) = world.node.machines
        world.node.behaviour = lambda machine: (
            "no room" if machine["alias"].endswith("web.3") else well_behaved(machine)
        )
        with pytest.raises(NoRoom):
            await scale(world, app, "web=3")
        await world.until(lambda: list(world.node.machines) == [before])
        assert await world.rows(app) == ["web.1"]

    run(story)


def test_what_a_crash_left_of_a_scale_is_made_good(run: Run) -> None:
    """The formation was written, or some rows more, and then control was killed."""

    async def story(world: World) -> None:
        app = await world.deployed("web")
        entries = await world.platform.database.run(formation.get, app.id)
        wider = [type(entry)(entry.type, 3, entry.package) for entry in entries]
        await world.platform.database.run(formation.set, app.id, wider)
        await converge(world.platform, app, Timeline())
        assert world.node.running() == await world.rows(app) == ["web.1", "web.2", "web.3"]

    run(story)


def test_an_app_without_a_release_has_nothing_to_converge(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        await converge(world.platform, app, Timeline())
        assert await world.platform.database.run(releases.all, app.id) == []
        assert world.node.machines == {}

    run(story)
