"""Crons on the fake node: each due time dealt with once, wherever control is killed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paas import logs
from paas.apps import crons as rules
from paas.apps.apps import App
from paas.apps.crons import Cron, Given, Missed, Outcome, Result
from paas.errors import NotFound, UserError
from paas.node.client import Node
from paas.runs import cron, one_off
from paas.store import Database, crons, runs
from tests.paas.provisioner.fake_node import well_behaved

USER = "owner@localhost"
BEGIN = datetime(2100, 1, 1, 12, tzinfo=UTC)
"""Far from what control's own clock says, which counts for nothing here."""
MINUTE = timedelta(minutes=1)
LOOP = cron.run


@pytest.fixture(autouse=True)
def only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(platform: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(cron, "run", idle)


def given(**values: Any) -> Given:
    known: dict[str, Any] = {
        "name": "job", "schedule": "*/10 * * * *", "timezone": "UTC", "command": "node job.js",
        "package": "standard-256m",
    }  # fmt: skip
    return Given(**{**known, **values})


async def add(world: Any, app: App, **values: Any) -> Cron:
    """Due at BEGIN for the first time."""
    run = world.platform.database.run
    made: Cron = await run(crons.add, app.id, given(**values), BEGIN - MINUTE)
    assert made.next_at == BEGIN
    return made


async def results(world: Any, one: Cron) -> list[Result]:
    found: list[Result] = await world.platform.database.run(crons.results, one.id)
    return found


def said(world: Any, app: App) -> str:
    lines = logs.read(world.platform.settings, app.id, [], 100)
    return "\n".join(str(line) for line in lines)


async def ended(world: Any, one: Cron) -> None:
    async def is_over() -> bool:
        return not await world.platform.database.run(crons.under_way, one.id)

    await world.until(is_over)


def of_job(world: Any) -> list[str]:
    tag = "smartplatform:instance"
    found = [each["uuid"] for each in world.node.machines.values()]
    return [uuid for uuid in found if world.node.machines[uuid]["tags"][tag].startswith("cron.")]


async def made(world: Any) -> str:
    await world.until(lambda: of_job(world))
    return of_job(world)[0]


def exits(machine: dict[str, Any]) -> str:
    is_run = machine["tags"]["smartplatform:instance"].startswith("cron.")
    return "exits" if is_run else well_behaved(machine)


def test_a_due_time_is_a_run_with_a_result(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        one = await add(world, app)
        assert await cron.tick(world.platform, BEGIN - timedelta(seconds=1)) == BEGIN
        assert not await results(world, one)
        assert await cron.tick(world.platform, BEGIN) == BEGIN + 10 * MINUTE
        uuid = await made(world)
        machine = world.node.machines[uuid]
        [row] = await world.platform.database.run(runs.for_app, app.id)
        assert machine["tags"]["smartplatform:instance"] == row.name
        assert row.name.startswith("cron.job.") and row.package == "standard-256m"
        assert (uuid, row.name) in world.platform.outputs.of(app.id)
        listed = [status.instance.name for status in await world.operations.runs.all(app)]
        assert listed == [row.name]
        world.node.change(uuid, state="stopped", exit_status=3, exit_timestamp="x")
        await ended(world, one)
        [result] = await results(world, one)
        assert (result.outcome, result.exit_status) == (Outcome.FAILED, 3)
        assert (result.due_at, result.process) == (BEGIN, row.name)
        assert result.started_at and result.ended_at
        assert not await world.platform.database.run(runs.for_app, app.id)

    run(story)


def test_never_two_at_once_unless_asked(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        one = await add(world, app)
        two = await add(world, app, name="other", overlap=True)
        for minutes in (0, 10):
            await cron.tick(world.platform, BEGIN + minutes * MINUTE)
        outcomes = [each.outcome for each in await results(world, one)]
        assert outcomes[0] is Outcome.SKIPPED and len(outcomes) == 2
        assert "still goes on" in said(world, app)
        await world.until(lambda: len(of_job(world)) == 3)
        assert all(each.outcome in rules.UNDER_WAY for each in await results(world, two))
        with pytest.raises(UserError, match="still goes on"):
            await world.operations.crons.start(app, "job", USER)
        for minutes in range(20, 200, 10):
            await cron.tick(world.platform, BEGIN + minutes * MINUTE)
        going_on = await world.platform.database.run(crons.under_way, two.id)
        assert len(going_on) == rules.RUNS_AT_ONCE_MAX

    run(story)


def test_it_is_run_now_and_stopped_by_name(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        one = await add(world, app)
        started = await world.operations.crons.start(app, "job", USER)
        assert of_job(world) == [started.machine_uuid]
        await world.operations.runs.stop(app, started.name)
        await ended(world, one)
        [result] = await results(world, one)
        assert (result.outcome, result.said) == (Outcome.FAILED, "it was stopped")
        with pytest.raises(NotFound):
            await world.operations.crons.start(app, "another", USER)

    run(story)


def test_what_was_missed_is_said_or_made_up_for(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        world.node.behaviour = exits
        skips, makes_up = await add(world, app), await add(world, app, name="b", missed=Missed.ONCE)
        await cron.tick(world.platform, BEGIN + 25 * MINUTE)
        await ended(world, makes_up)
        [missed] = await results(world, skips)
        assert (missed.outcome, missed.due_at, missed.count) == (Outcome.MISSED, BEGIN, 3)
        found = {each.outcome: each for each in await results(world, makes_up)}
        assert found[Outcome.MISSED].count == 2
        assert found[Outcome.FAILED].due_at == BEGIN + 20 * MINUTE
        assert "Missed 3 runs from 2100-01-01 12:00 UTC to 2100-01-01 12:20" in said(world, app)

    run(story)


def test_without_a_release_or_room_the_result_says_so(run: Any) -> None:
    async def story(world: Any) -> None:
        empty = await world.app("empty")
        one = await add(world, empty)
        await cron.tick(world.platform, BEGIN)
        [result] = await results(world, one)
        assert (result.outcome, result.said) == (Outcome.FAILED, "the app has no release yet")
        app = await world.deployed()
        two = await add(world, app)
        world.node.behaviour = lambda machine: "no room"
        await cron.tick(world.platform, BEGIN)
        await ended(world, two)
        [result] = await results(world, two)
        assert result.outcome is Outcome.FAILED and "could not be started" in result.said
        assert not await world.platform.database.run(runs.for_app, app.id)

    run(story)


def test_a_pause_is_no_downtime(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        one = await add(world, app)
        paused = await world.operations.crons.pause(app, "job", True, USER)
        assert paused.next_at is None
        assert await cron.tick(world.platform, BEGIN + 60 * MINUTE) is None
        resumed = await world.operations.crons.pause(app, "job", False, USER)
        assert resumed.next_at and not await results(world, one)

    run(story)


def test_results_and_crons_are_bounded(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RESULTS_KEPT", 3)
    monkeypatch.setattr(rules, "CRONS_MAX", 2)

    async def story(world: Any) -> None:
        app = await world.app()
        one = await add(world, app)
        for number in range(8):
            await cron.tick(world.platform, BEGIN + 10 * number * MINUTE)
        kept = await results(world, one)
        assert [each.due_at for each in kept] == [BEGIN + n * 10 * MINUTE for n in (7, 6, 5)]
        await add(world, app, name="b")
        with pytest.raises(UserError, match="can have 2 crons"):
            await add(world, app, name="c")
        with pytest.raises(UserError, match="has a cron job already"):
            monkeypatch.setattr(rules, "CRONS_MAX", 9)
            await add(world, app)

    run(story)


def test_what_app_json_declares_goes_with_it(run: Any) -> None:
    async def story(world: Any) -> None:
        app, database = await world.app(), world.platform.database
        await add(world, app)
        declared = [given(name="a"), given(name="b", schedule="@daily")]
        await database.run(crons.declare, app.id, declared, BEGIN - MINUTE)
        await world.operations.crons.pause(app, "a", True, USER)
        b = await database.run(crons.named, app.id, "b")
        later = [given(name="a", command="node other.js"), given(name="b", schedule="@daily")]
        await database.run(crons.declare, app.id, later, BEGIN + 5 * MINUTE)
        a, same, job = await database.run(crons.for_app, app.id)
        assert a.paused and a.command == "node other.js" and same == b and not job.declared
        with pytest.raises(UserError, match=r"declared in app\.json"):
            await world.operations.crons.remove(app, "a", USER)
        await database.run(crons.declare, app.id, [given()], BEGIN)
        [job] = await database.run(crons.for_app, app.id)
        assert job.declared
        await database.run(crons.declare, app.id, [], BEGIN)
        assert not await database.run(crons.for_app, app.id)

    run(story)


def test_the_clock_is_looked_at_and_whoever_adds_one_is_heard(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [BEGIN - MINUTE]
    monkeypatch.setattr(cron, "now", lambda: clock[0])
    monkeypatch.setattr(cron, "LOOK_S", 0.02)

    async def story(world: Any) -> None:
        app = await world.deployed()
        world.node.behaviour = exits
        world.platform.background.start(LOOP(world.platform), "cron under test")
        one = await add(world, app)
        world.platform.crons_changed.set()
        for minutes in (0, 10):
            clock[0] = BEGIN + minutes * MINUTE

            async def is_there(count: int = minutes // 10 + 1) -> bool:
                return len(await results(world, one)) == count

            await world.until(is_there)
            await ended(world, one)
        due = [each.due_at for each in await results(world, one)]
        assert due == [BEGIN + 10 * MINUTE, BEGIN]

    run(story)


class Killed(Exception):
    """Nothing of control goes on after it."""


class Cut:
    """Counts before and after each step that others can see; from `at` on, all fail."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0
        self.is_killed = False

    def _step(self) -> None:
        self.count += 1
        if self.is_killed or self.count > self.at:
            self.is_killed = True
            raise Killed

    def around(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def cut(*args: Any, **options: Any) -> Any:
            self._step()
            found = await work(*args, **options)
            self._step()
            return found

        return cut


async def killed_at(world: Any, at: int, patch: pytest.MonkeyPatch) -> bool:
    """Deal with what is due, up to that step. Whether there was such a step."""
    cut, platform = Cut(at), world.platform
    names = ("start cron", "watch cron", "remove cron")

    def left() -> list[Any]:
        tasks = platform.background._tasks
        return [each for each in tasks if each.get_name().startswith(names)]

    with patch.context() as patched:
        for part, verbs in ((Database, ["run"]), (Node, ["create", "delete"])):
            for verb in verbs:
                patched.setattr(part, verb, cut.around(getattr(part, verb)))
        with contextlib.suppress(Killed):
            await cron.tick(platform, BEGIN)
        await world.until(lambda: cut.is_killed or not left())
        for task in left():
            task.cancel()
        await asyncio.gather(*left(), return_exceptions=True)
    return cut.is_killed


def test_killed_at_any_step_a_due_time_is_neither_lost_nor_run_twice(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: Any) -> int:
        app = await world.deployed()
        world.node.behaviour = exits
        boots: list[str] = []
        boot = world.node._boot

        def counted(uuid: str, does: str) -> None:
            boots.append(uuid)
            boot(uuid, does)

        monkeypatch.setattr(world.node, "_boot", counted)
        for at in range(100):
            boots.clear()
            one = await add(world, app, name=f"job{at}")
            was_killed = await killed_at(world, at, monkeypatch)
            await one_off.resume(world.platform)
            await cron.resume(world.platform)
            await cron.tick(world.platform, BEGIN + timedelta(seconds=20))
            await ended(world, one)
            found = await results(world, one)
            facts = [(each.due_at, each.outcome, each.exit_status) for each in found]
            assert facts == [(BEGIN, Outcome.FAILED, 1)], at
            assert boots == [found[0].id], at
            assert not await world.platform.database.run(runs.for_app, app.id)
            await world.platform.database.run(crons.delete, one.id)
            if not was_killed:
                return at
        return 100

    steps = run(story)
    assert 8 <= steps < 100


@pytest.mark.parametrize(("missed", "runs_late"), [(Missed.SKIP, False), (Missed.ONCE, True)])
def test_what_was_recorded_and_never_started_is_said_when_it_is_too_late(
    run: Any, missed: Missed, runs_late: bool
) -> None:
    async def story(world: Any) -> None:
        app = await world.deployed()
        long_ago = datetime(2020, 1, 1, 12, tzinfo=UTC)
        database = world.platform.database
        one = await database.run(crons.add, app.id, given(missed=missed), long_ago - MINUTE)
        await database.run(cron._fire, one.id, long_ago)
        await one_off.resume(world.platform)
        await cron.resume(world.platform)
        if runs_late:
            await made(world)
            return
        [result] = await results(world, one)
        assert result.outcome is Outcome.MISSED and not of_job(world)
        assert "Missed its run of 2020-01-01 12:00 UTC" in said(world, app)

    run(story)
