"""Healing: what goes away comes back, and what the node starts again itself is left alone."""

import asyncio
from typing import Any

import pytest

from paas.apps.formation import parse_change
from paas.platform.tasks import to_the_end
from paas.provisioner import heal
from paas.provisioner.retire import retire_orphans
from tests.paas.provisioner.fake_node import well_behaved
from tests.paas.provisioner.world import Run, World


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heal, "PAUSE_MIN_S", 0.05)
    monkeypatch.setattr(heal, "PAUSE_MAX_S", 0.1)


def only(world: World) -> dict[str, Any]:
    (machine,) = world.node.machines.values()
    return machine


async def well(world: World) -> None:
    await world.until(
        lambda: world.node.running() == ["web.1"] and not world.platform.background.under_way
    )


@pytest.mark.parametrize("harm", ["lost", "failed", "stopped"])
def test_an_instance_whose_machine_is_gone_comes_back_as_itself(run: Run, harm: str) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        uuid = only(world)["uuid"]
        if harm == "lost":
            world.node.lose(uuid)
        else:
            world.node.change(uuid, state=harm, listening=None)
        await well(world)
        assert only(world)["uuid"] == uuid

    run(story)


def test_one_that_is_hurt_during_a_deploy_is_healed_after_it(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        async with world.platform.locks[app.id]:
            world.node.lose(only(world)["uuid"])
            await world.until(lambda: world.platform.background.under_way)
            await asyncio.sleep(0.2)
            assert world.node.machines == {}
        await well(world)

    run(story)


def test_healing_goes_on_until_the_node_does_it(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        world.node.behaviour = lambda machine: "refused"
        world.node.lose(only(world)["uuid"])
        await world.until(lambda: sum(verb == "create" for verb, _ in world.node.asked) > 3)
        world.node.behaviour = well_behaved
        await well(world)

    run(story)


def test_one_that_can_not_run_holds_up_no_other(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web", "worker")
        await world.operations.formation.scale(app, [parse_change("worker=1")], "me")
        world.node.behaviour = lambda machine: (
            "refused" if machine["alias"].endswith("web.1") else well_behaved(machine)
        )
        for machine in list(world.node.machines.values()):
            world.node.lose(machine["uuid"])
        await world.until(lambda: world.node.running() == ["worker.1"])
        await world.operations.apps.destroy(app)
        await world.until(lambda: not world.platform.background.under_way)

    run(story)


def test_healing_ends_that_is_told_to_while_it_does_what_is_final(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def never_well(*_: object) -> bool:
            begun.set()
            await to_the_end(may_end.wait())
            return False

        monkeypatch.setattr(heal, "_try", never_well)
        world.node.lose(only(world)["uuid"])
        await begun.wait()
        ended = asyncio.create_task(world.platform.background.cancel())
        await asyncio.sleep(0)
        may_end.set()
        async with asyncio.timeout(10):
            await ended
        assert await world.rows(app) == ["web.1"]

    run(story)


def test_a_process_that_the_node_starts_again_is_left_to_it(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        uuid = only(world)["uuid"]
        asked = len(world.node.asked)
        for _ in range(5):
            world.node.change(uuid, state="stopped", restarting=True)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert not world.platform.background.under_way
        assert uuid not in [about for _, about in world.node.asked[asked:]]

    run(story)


def test_a_node_that_comes_back_without_its_machines_gets_them_again(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        await world.node.stop()
        world.node.machines.clear()
        await world.node.start()
        await well(world)

    run(story)


def test_what_nobody_claims_is_retired_and_a_running_release_command_is_not(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        machine = only(world)
        orphan = {**machine, "uuid": "6f1a2b3c-0000-4000-8000-00000000000a"}
        release = {**machine, "uuid": "6f1a2b3c-0000-4000-8000-00000000000b"}
        release["internal_metadata"] = {"docker:restartpolicy": "no"}
        stranger = {**machine, "uuid": "6f1a2b3c-0000-4000-8000-00000000000c", "tags": {}}
        for other in (orphan, release, stranger):
            world.node.machines[other["uuid"]] = other
            world.node.change(other["uuid"])
        await world.until(lambda: len(world.platform.machines.known) == 4)
        await retire_orphans(world.platform, one_offs=False)
        await world.until(lambda: orphan["uuid"] not in world.node.machines)
        assert {release["uuid"], stranger["uuid"]} <= set(world.node.machines)
        await retire_orphans(world.platform, one_offs=True)
        await world.until(lambda: release["uuid"] not in world.node.machines)
        assert await world.rows(app) == ["web.1"]
        assert stranger["uuid"] in world.node.machines

    run(story)


async def is_waiting(task: "asyncio.Task[None]", world: World, uuid: str) -> bool:
    """Still waiting after a further change was heard."""
    heard = asyncio.Event()
    with world.platform.machines.listening(lambda *_: heard.set()):
        world.node.change(uuid, alias="changed")
        await heard.wait()
    await asyncio.sleep(0)
    return not task.done()


@pytest.mark.parametrize(
    "end",
    [
        {"listening": "unix"},
        {"state": "failed", "listening": None},
        {"state": "stopped", "restarting": True},
    ],
)
def test_apps_answer_when_each_start_has_come_to_an_end(run: Run, end: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        await world.deployed("web", "worker")
        (machine,) = world.node.named("web.1")
        uuid = machine["uuid"]
        world.node.change(uuid, listening=None)
        await world.until(lambda: not world.platform.machines.known[uuid].get("listening"))
        waiting = asyncio.create_task(heal.answering(world.platform, 60))
        assert await is_waiting(waiting, world, uuid)
        world.node.change(uuid, **end)
        await waiting

    run(story)


def test_an_app_that_never_listens_holds_up_no_start(run: Run) -> None:
    async def story(world: World) -> None:
        await world.deployed("web")
        world.node.change(only(world)["uuid"], listening=None)
        await world.until(
            lambda: not next(iter(world.platform.machines.known.values())).get("listening")
        )
        await heal.answering(world.platform, 0.1)

    run(story)
