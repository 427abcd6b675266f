"""What the API does with apps: whole when it returns, clean when it fails or its caller goes."""

import asyncio
import gc
import logging
from pathlib import Path

import pytest

from paas.control import housekeeping
from paas.errors import NotFound, UserError
from paas.store import apps, instances
from tests.paas.provisioner.world import Run, World


def repositories(world: World) -> list[Path]:
    return sorted(world.platform.settings.repositories.glob("*"))


def test_a_name_that_is_taken_leaves_no_repository(run: Run) -> None:
    async def story(world: World) -> None:
        await world.operations.create_app("hello", "me")
        before = repositories(world)
        with pytest.raises(UserError, match="already taken"):
            await world.operations.create_app("hello", "me")
        assert repositories(world) == before != []

    run(story)


def test_a_repository_without_an_app_goes_at_the_next_start(run: Run) -> None:
    """Control was killed between the two steps of creating, or of destroying."""

    async def story(world: World) -> None:
        app = await world.operations.create_app("hello", "me")
        folder = world.platform.settings.repositories
        (folder / "6f1a2b3c-0000-4000-8000-00000000000a.git").mkdir()
        (folder / ".6f1a2b3c-0000-4000-8000-00000000000b.git.deleted").mkdir()
        await housekeeping.delete_repositories(world.platform)
        assert repositories(world) == [world.platform.settings.repository(app.id)]

    run(story)


def test_a_destroyed_app_leaves_nothing(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        release = await world.current(app)
        assert release is not None
        world.node.images["x"] = {"uuid": "x", "tags": {"smartplatform:app": app.id}}
        await world.operations.destroy_app(app)
        await world.until(lambda: not world.node.machines and "x" not in world.node.images)
        await world.until(lambda: not repositories(world))
        assert world.platform.outputs.of(app.id) == []
        with pytest.raises(NotFound):
            await world.operations.destroy_app(app)
        await world.until(lambda: gc.collect() >= 0 and not world.platform.locks._locks)

    run(story)


def test_an_app_can_be_destroyed_while_the_router_is_away(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        await asyncio.wait_for(world.operations.destroy_app(app), 30)
        assert await world.platform.database.run(apps.by_id, app.id) is None

    run(story, router=folder / "none")


def test_a_change_goes_on_when_its_caller_goes_and_its_failure_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        world.node.behaviour = lambda machine: "runs"
        calling = asyncio.create_task(world.operations.restart(app))
        await world.until(lambda: len(world.node.machines) == 2)
        calling.cancel()
        await asyncio.wait({calling})
        await world.until(lambda: world.node.running() == ["web.1"])
        await world.until(lambda: "a change of hello failed" in caplog.text)

    caplog.set_level(logging.ERROR)
    run(story, boot_timeout_s=2.0)


def test_a_restart_waits_for_a_deploy_and_then_restarts_what_it_made(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        deploying = asyncio.create_task(world.operations.change_config(app, {"A": "1"}, "me"))
        await asyncio.sleep(0)
        await asyncio.gather(deploying, world.operations.restart(app, type="web"))
        assert await world.rows(app) == ["web.1"]
        await world.until(lambda: len(world.node.machines) == 1)
        (row,) = await world.platform.database.run(instances.for_app, app.id)
        assert (row.release_version, list(world.node.machines)) == (2, [row.machine_uuid])

    run(story)


def test_a_restart_of_what_does_not_run_says_so(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        with pytest.raises(NotFound, match=r"hello has no web\.2 that runs"):
            await world.operations.restart(app, name="web.2")

    run(story)


def test_the_state_of_instances_is_what_the_node_says(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (machine,) = world.node.machines.values()

        async def state() -> str:
            (status,) = await world.operations.instances(app)
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


def test_a_routing_setting_is_in_force_when_the_change_returns(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        changed = await world.operations.change_routing(app, {"sticky": "on"}, "me")
        assert changed.routing == {"sticky": True}
        assert not world.platform.routes.behind
        with pytest.raises(UserError, match="concurrency can't be 'x'"):
            await world.operations.change_routing(app, {"sticky": None, "concurrency": "x"}, "me")
        assert (await world.platform.database.run(apps.by_id, app.id)) == changed

    run(story)


def test_a_name_and_domains_change_though_the_router_is_away(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        assert (await world.operations.rename_app(app, "other")).name == "other"
        assert (await world.operations.set_maintenance(app, True)).maintenance
        await world.operations.add_domain(app, "www.example.com")
        assert world.platform.routes.behind

    run(story, router=folder / "none")


def test_instances_that_fail_their_checks_are_told_from_those_that_do_not(run: Run) -> None:
    """The router asks them; nobody listens at the fake node's instances."""

    async def story(world: World) -> None:
        app = await world.deployed("web")
        assert [one.fails_checks for one in await world.operations.instances(app)] == [False]
        app = await world.operations.change_routing(app, {"health_path": "/up"}, "me")
        async with asyncio.timeout(60):
            while True:
                [one] = await world.operations.instances(app)
                if one.fails_checks:
                    break
                await asyncio.sleep(0.2)
        app = await world.operations.change_routing(app, {"health_path": ""}, "me")
        assert [one.fails_checks for one in await world.operations.instances(app)] == [False]

    run(story)


def test_without_a_router_no_instance_is_known_to_fail(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        app = await world.operations.change_routing(app, {"health_path": "/up"}, "me")
        assert [one.fails_checks for one in await world.operations.instances(app)] == [False]

    run(story, router=folder / "none")
