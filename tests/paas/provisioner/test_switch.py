"""A deploy is whole or nothing: what fails or is cut off leaves the old release alone."""

import asyncio
from pathlib import Path

import pytest

from paas.apps.formation import change
from paas.apps.releases import ReleaseStatus
from paas.errors import PlatformError
from paas.platform.timeline import Timeline
from paas.provisioner.boot import StartFailed
from paas.provisioner.switch import go_live, replace
from paas.store import instances, releases
from tests.paas.provisioner.fake_node import well_behaved
from tests.paas.provisioner.world import Run, World


def test_a_release_replaces_the_one_before(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        before = world.node.named("web.1")[0]["uuid"]
        await go_live(world.platform, app, await world.release(app), Timeline())
        await world.until(lambda: before not in world.node.machines)
        assert await world.rows(app) == ["web.1"]
        assert world.node.running() == ["web.1"]
        assert (await world.platform.router.status())["workers"]

    run(story)


@pytest.mark.parametrize(
    ("does", "error", "words"),
    [
        ("exits", StartFailed, "exited with status 1 before it was ready"),
        ("runs", StartFailed, "did not listen on port 3000 within 2 s"),
        ("fails", StartFailed, "web.1 could not start: StartFailed by the test"),
        ("refused", PlatformError, "a machine could not be made"),
    ],
)
def test_a_release_that_does_not_start_leaves_the_old_one(
    run: Run, does: str, error: type[Exception], words: str
) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        old = await world.current(app)
        world.node.behaviour = lambda machine: does
        failing = await world.release(app)
        with pytest.raises(error, match=words):
            await go_live(world.platform, app, failing, Timeline())
        assert await world.current(app) == old
        ended = await world.platform.database.run(releases.by_id, failing.id)
        assert ended.status is ReleaseStatus.FAILED
        await world.until(lambda: len(world.node.machines) == 1)
        assert world.node.running() == await world.rows(app) == ["web.1"]

    run(story, boot_timeout_s=2.0 if does == "runs" else 30.0)


def test_one_type_that_does_not_start_fails_all(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web", "worker")
        await world.operations.formation.scale(app, [change("worker", 1)], "me")
        world.node.behaviour = lambda machine: (
            "exits" if machine["alias"].endswith("worker.1") else well_behaved(machine)
        )
        old, failing = await world.current(app), await world.release(app, "web", "worker")
        with pytest.raises(StartFailed, match=r"worker\.1 exited"):
            await go_live(world.platform, app, failing, Timeline())
        assert await world.current(app) == old
        await world.until(lambda: world.node.running() == ["web.1", "worker.1"])

    run(story)


@pytest.mark.parametrize("pauses", range(0, 40, 3))
def test_cancelling_at_any_moment_leaves_all_or_nothing(run: Run, pauses: int) -> None:
    """Cancelled after so many turns of the event loop: recording, creating, waiting, switching."""

    async def story(world: World) -> None:
        app = await world.deployed("web")
        old = await world.current(app)
        assert old is not None
        new = await world.release(app)
        task = asyncio.create_task(go_live(world.platform, app, new, Timeline()))
        for _ in range(pauses):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait({task})
        current = await world.current(app)
        assert current is not None
        assert current.version == (old.version if task.cancelled() else new.version)
        await world.until(lambda: len(world.node.machines) == 1)
        rows = await world.platform.database.run(instances.for_app, app.id)
        assert [item.release_version for item in rows] == [current.version]

    run(story)


def test_a_router_that_is_away_does_not_hold_a_switch_up(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        current = await world.current(app)
        assert current is not None and current.status is ReleaseStatus.SUCCEEDED
        assert world.platform.routes.behind

    run(story, router=folder / "none")


def test_old_instances_live_until_a_table_without_them_is_obeyed(run: Run, folder: Path) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        await go_live(world.platform, app, await world.release(app), Timeline())
        assert world.node.running() == ["web.1", "web.1"]

    run(story, router=folder / "none")


def test_a_node_that_comes_back_in_time_is_waited_for(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        release = await world.release(app)
        await world.node.stop()
        task = asyncio.create_task(go_live(world.platform, app, release, Timeline()))
        await world.until(lambda: world.platform.outputs.of(app.id))
        await world.node.start()
        await task
        assert world.node.running() == ["web.1"]

    run(story)


def test_a_node_that_never_answers_ends_a_deploy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paas.fleet.machines.CALL_TIMEOUT_S", 0.2)

    async def story(world: World) -> None:
        app = await world.app()
        world.node.behaviour = lambda machine: "hangs"
        with pytest.raises(PlatformError, match="did not answer within"):
            await go_live(world.platform, app, await world.release(app), Timeline())
        assert await world.rows(app) == []

    run(story)


def test_a_restart_starts_the_new_before_the_old_go(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        release = await world.current(app)
        assert release is not None
        old = await world.platform.database.run(instances.for_app, app.id)
        await replace(world.platform, app, release, old, Timeline())
        new = await world.platform.database.run(instances.for_app, app.id)
        assert [item.name for item in new] == ["web.1"]
        assert new[0].machine_uuid != old[0].machine_uuid
        await world.until(lambda: list(world.node.machines) == [new[0].machine_uuid])

    run(story)
