"""One-off runs on the fake node: what is recorded at each step, and what the next control does."""

import json
from datetime import timedelta
from typing import Any

import pytest

from paas import logs
from paas.apps.apps import App
from paas.apps.runs import Run, Wanted
from paas.errors import UserError
from paas.runs import inside, one_off
from paas.store import runs
from paas.store.sql.row import now

USER = "owner@localhost"
DETACHED = Wanted("node job.js", attached=False, package="standard-256m", time_limit_s=3600)
ATTACHED = Wanted("bash", attached=True, package="standard-512m", size=(24, 80))


async def rows(world: Any, app: App) -> list[Run]:
    found: list[Run] = await world.platform.database.run(runs.for_app, app.id)
    return found


def said(world: Any, app: App) -> str:
    lines = logs.read(world.platform.settings, app.id, [], 100)
    return "\n".join(str(line) for line in lines)


async def gone(world: Any, uuid: str) -> None:
    await world.until(lambda: uuid not in world.node.machines)


def test_a_run_is_a_machine_of_its_own_that_is_never_started_again(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        started = await one_off.start(world.platform, app, DETACHED, USER)
        [row] = await rows(world, app)
        assert row == started.run and started.offer is None
        machine = world.node.machines[row.machine_uuid]
        metadata = machine["internal_metadata"]
        assert json.loads(metadata["docker:cmd"]) == ["bash", "-c", "node job.js"]
        assert f"DYNO={row.name}" in json.loads(metadata["docker:env"])
        assert metadata["docker:restartpolicy"] == "no"
        assert metadata["smartplatform:class"] == "runs"
        assert metadata["smartplatform:place"] == f"{app.id}/{row.name}"
        assert machine["max_physical_memory"] == 256
        assert (row.machine_uuid, row.name) in world.platform.outputs.of(app.id)
        world.node.change(row.machine_uuid, state="stopped", exit_status=0, exit_timestamp="x")
        await gone(world, row.machine_uuid)
        assert not await rows(world, app)
        assert "Starting process with command `node job.js` by user owner@localhost" in said(
            world, app
        )

    run(story)


def test_further_variables_go_over_config_vars(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        wanted = Wanted("env", False, "standard-512m", environment={"NODE_ENV": "test"})
        started = await one_off.start(world.platform, app, wanted, USER)
        metadata = world.node.machines[started.run.machine_uuid]["internal_metadata"]
        assert "NODE_ENV=test" in json.loads(metadata["docker:env"])
        await world.operations.runs.stop(app)
        await gone(world, started.run.machine_uuid)

    run(story)


def test_there_must_be_a_release_and_room(run: Any) -> None:
    async def story(world: Any) -> None:
        empty = await world.app("empty")
        with pytest.raises(UserError, match="no release yet"):
            await one_off.start(world.platform, empty, DETACHED, USER)
        app = await world.deployed()
        world.node.behaviour = lambda machine: "no room"
        with pytest.raises(UserError):
            await one_off.start(world.platform, app, DETACHED, USER)
        assert not await rows(world, app) and not world.node.named("run")

    run(story)


def test_who_does_not_attach_in_time_ends_the_run(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_off, "ATTACH_S", 0.05)

    async def story(world: Any) -> None:
        app = await world.deployed()
        started = await one_off.start(world.platform, app, ATTACHED, USER)
        metadata = world.node.machines[started.run.machine_uuid]["internal_metadata"]
        assert json.loads(metadata["docker:cmd"]) == ["sleep", "infinity"]
        await gone(world, started.run.machine_uuid)
        assert not await rows(world, app)
        assert "Error R13 (Attach error)" in said(world, app)
        assert not world.platform.attachments.is_offered(started.offer.secret)

    run(story)


def test_a_run_ends_with_its_time_limit(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        wanted = Wanted("sleep 1000", False, "standard-512m", time_limit_s=1)
        started = await one_off.start(world.platform, app, wanted, USER)
        await gone(world, started.run.machine_uuid)
        assert "Time limit reached" in said(world, app)

    run(story)


def test_runs_are_listed_with_instances_and_stopped_by_name(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        one = (await one_off.start(world.platform, app, DETACHED, USER)).run
        two = (await one_off.start(world.platform, app, DETACHED, USER)).run
        listed = [status.instance.name for status in await world.operations.runs.all(app)]
        assert sorted(listed) == sorted([one.name, two.name])
        await world.operations.runs.stop(app, one.name)
        await gone(world, one.machine_uuid)
        assert [row.name for row in await rows(world, app)] == [two.name]
        with pytest.raises(UserError, match=r"has no run\.1 that runs"):
            await world.operations.runs.stop(app, "run.1")
        await world.operations.runs.stop(app)
        await gone(world, two.machine_uuid)

    run(story)


def test_an_app_takes_its_runs_with_it(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        started = await one_off.start(world.platform, app, DETACHED, USER)
        await world.operations.apps.destroy(app)
        await gone(world, started.run.machine_uuid)

    run(story)


@pytest.mark.parametrize("has_machine", [True, False])
@pytest.mark.parametrize("attached", [True, False])
def test_the_next_control_ends_what_has_lost_its_connection_and_watches_the_rest(
    run: Any, attached: bool, has_machine: bool
) -> None:
    """Killed after the row was written, or after the machine was made."""

    async def story(world: Any) -> None:
        app = await world.deployed()
        row = Run(
            machine_uuid="00000000-0000-4000-8000-00000000a001",
            app_id=app.id,
            release_version=1,
            number=1234,
            command="x",
            package="standard-512m",
            attached=attached,
            created_at=now(),
            ends_at=now() + timedelta(hours=1),
        )
        await world.platform.database.run(runs.insert, row)
        if has_machine:
            machine = {**world.node.named("web.1")[0], "uuid": row.machine_uuid}
            await world.platform.node.create(machine)
            await world.until(lambda: row.machine_uuid in world.platform.machines.known)
        await one_off.resume(world.platform)
        if attached or not has_machine:
            await gone(world, row.machine_uuid)
            assert not await rows(world, app)
            assert "the platform was restarted" in said(world, app)
            return
        assert [each.name for each in await rows(world, app)] == ["run.1234"]
        world.node.change(row.machine_uuid, state="stopped", exit_status=0, exit_timestamp="x")
        await gone(world, row.machine_uuid)
        assert not await rows(world, app)

    run(story)


def test_a_run_whose_machine_an_operator_deletes_is_over(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        started = await one_off.start(world.platform, app, DETACHED, USER)
        uuid = started.run.machine_uuid
        await world.until(lambda: uuid in world.platform.machines.known)
        world.node.lose(uuid)

        async def is_over() -> bool:
            return not await rows(world, app)

        await world.until(is_over)

    run(story)


def test_sessions_in_instances_are_counted(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "SESSIONS_MAX", 2)

    async def story(world: Any) -> None:
        app = await world.deployed()
        call = world.operations.runs
        for _ in range(2):
            await call.execute(app, "web.1", "ls", USER, size=None, environment={})
        with pytest.raises(UserError, match="2 sessions"):
            await call.execute(app, "web.1", "ls", USER, size=None, environment={})
        with pytest.raises(UserError, match=r"no instance 'web.9'"):
            await call.execute(app, "web.9", "ls", USER, size=None, environment={})

    run(story)
