"""Crons: each due time is dealt with once, whoever is killed when.

One transaction (`_fire`) moves a cron on to its next time and records what becomes of this one: a
run with its row, that it is skipped because the last one goes on, or that it was missed. What a
crash of control leaves after it, and what the next one does (`resume`):

    the run's row, no machine   it is started now; or said to be missed, when that is too late
    the machine                 it is the run: it is watched again (`one_off.resume`)
    the machine has ended       the result is written when its row goes, in one transaction

Before it nothing is recorded, and the time is still due. The wall clock says what is due: it is
looked at every half a minute, so that one that is set counts at once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from paas import logs
from paas.apps import crons as rules
from paas.apps import runs as run_rules
from paas.apps.apps import App
from paas.apps.crons import Cron, Decision, Outcome, Result
from paas.apps.releases import Release
from paas.apps.runs import Run, Wanted
from paas.errors import PlatformError, UserError
from paas.platform.platform import Platform
from paas.runs import one_off, session
from paas.runs.session import Ended
from paas.store import apps, crons, releases, runs
from paas.store.sql.row import new_id, now

LOOK_S = 30.0
STARTS_AT_ONCE_MAX = 4
"""Many are due at the full hour: the others wait, so that they don't start in each other's way."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fired:
    """What is to be done and said after the transaction."""

    cron: Cron
    app: App
    said: tuple[str, ...] = ()
    run: Run | None = None
    release: Release | None = None


async def run(platform: Platform) -> None:
    """For ever."""
    starts = asyncio.Semaphore(STARTS_AT_ONCE_MAX)
    while True:
        platform.crons_changed.clear()
        next_at = await tick(platform, now(), starts)
        left_s = LOOK_S if next_at is None else (next_at - now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(left_s, 0.0), LOOK_S)):
                await platform.crons_changed.wait()


async def tick(
    platform: Platform, moment: datetime, starts: asyncio.Semaphore | None = None
) -> datetime | None:
    """Deal with what is due at the moment. When something is due next, if ever."""
    waiting = await platform.database.run(crons.waiting)
    for cron in waiting:
        if rules.decide(cron, moment) is not None:
            fired = await platform.database.run(_fire, cron.id, moment)
            _go_on(platform, fired, starts)
    left = await platform.database.run(crons.waiting) if waiting else []
    return min((cron.next_at for cron in left if cron.next_at), default=None)


async def start(platform: Platform, app: App, name: str, user: str) -> Run:
    """Run it now, besides its times; returns when its machine runs. Raises UserError."""
    fired = await platform.database.run(_start_now, app, name, now())
    assert fired.run and fired.release
    _say(platform, fired.cron, f"Started by user {user}")
    platform.outputs.add(app.id, fired.run.machine_uuid, fired.run.name)
    await _launch(platform, fired.app, fired.release, fired.run)
    return fired.run


async def resume(platform: Platform) -> None:
    """At the start: runs that were recorded, and have no machine."""
    for fired, result in await platform.database.run(_begun):
        cron, recorded = fired.cron, fired.run
        assert recorded
        if recorded.machine_uuid in platform.machines.known:
            await platform.database.run(crons.set_running, result.id)
        elif result.outcome is Outcome.RUNNING or fired.release is None:
            await one_off.forget(platform, recorded, Ended(session.LOST, "its machine is gone"))
        elif rules.is_too_late(cron, result.due_at, now()):
            await platform.database.run(_give_up, recorded)
            _say(platform, cron, f"Missed its run of {_time(result.due_at)}: {_DOWN}")
        else:
            _go_on(platform, fired, None)


_DOWN = "the platform was not running"


def _go_on(platform: Platform, fired: Fired | None, starts: asyncio.Semaphore | None) -> None:
    if fired is None:
        return
    for text in fired.said:
        _say(platform, fired.cron, text)
    if fired.run is None or fired.release is None:
        return
    platform.outputs.add(fired.app.id, fired.run.machine_uuid, fired.run.name)
    work = _started(platform, fired.app, fired.release, fired.run, starts)
    platform.background.start(work, f"start {fired.run.name}")


async def _started(
    platform: Platform, app: App, release: Release, run: Run, starts: asyncio.Semaphore | None
) -> None:
    async with starts or contextlib.nullcontext():
        try:
            await _launch(platform, app, release, run)
        except (UserError, PlatformError) as error:
            log.warning("%s of %s was not started: %s", run.name, app.name, error)


async def _launch(platform: Platform, app: App, release: Release, run: Run) -> None:
    try:
        await one_off.launch(platform, app, release, run)
    except (UserError, PlatformError) as error:
        # Where the node refused it, it is over already, for the same reason.
        why = error.message if isinstance(error, UserError) else str(error)
        await one_off.forget(platform, run, Ended(session.LOST, why))
        raise
    await platform.database.run(crons.set_running, run.machine_uuid)


def _fire(connection: Connection, cron_id: str, moment: datetime) -> Fired | None:
    """The transaction; None where another has changed the cron meanwhile."""
    cron = crons.by_id(connection, cron_id)
    app = apps.by_id(connection, cron.app_id) if cron else None
    decision = rules.decide(cron, moment) if cron else None
    if cron is None or app is None or decision is None:
        return None
    crons.plan(connection, cron, decision.next_at, moment)
    said = list(_missed(connection, cron, decision))
    if decision.clock_went_back:
        said.append("The clock was set back: its times are counted from now on")
    if decision.run_for is None:
        return Fired(cron, app, tuple(said))
    begun = _begin(connection, cron, app, decision.run_for)
    return Fired(cron, app, (*said, *begun.said), begun.run, begun.release)


def _missed(connection: Connection, cron: Cron, decision: Decision) -> Iterable[str]:
    if decision.missed is None:
        return
    first, last, count = decision.missed
    why = "made up for by one run" if decision.run_for and _makes_up(cron) else _DOWN
    crons.record(connection, Result(new_id(), cron.id, first, count, "", Outcome.MISSED, why))
    if count == 1:
        yield f"Missed its run of {_time(first)}: {why}"
        return
    number = f"over {count - 1}" if count >= rules.MISSED_COUNTED_MAX else str(count)
    yield f"Missed {number} runs from {_time(first)} to {_time(last)}: {why}"


def _makes_up(cron: Cron) -> bool:
    return cron.missed is rules.Missed.ONCE


def _begin(connection: Connection, cron: Cron, app: App, due_at: datetime) -> Fired:
    """Record a run, or why there is none."""
    going_on = crons.under_way(connection, cron.id)
    most = rules.RUNS_AT_ONCE_MAX if cron.overlap else 1
    release = releases.current(connection, app.id)
    if len(going_on) >= most:
        names = ", ".join(each.process for each in going_on)
        return _no_run(connection, cron, app, due_at, Outcome.SKIPPED, f"{names} still goes on")
    if release is None or release.image_uuid is None:
        why = "the app has no release yet"
        return _no_run(connection, cron, app, due_at, Outcome.FAILED, why)
    try:
        run = _record(connection, cron, app, release, due_at)
    except UserError as error:
        return _no_run(connection, cron, app, due_at, Outcome.FAILED, error.message)
    return Fired(cron, app, (), run, release)


def _no_run(
    connection: Connection, cron: Cron, app: App, due_at: datetime, outcome: Outcome, why: str
) -> Fired:
    crons.record(connection, Result(new_id(), cron.id, due_at, 1, "", outcome, why))
    word = "Skipped" if outcome is Outcome.SKIPPED else "Could not start"
    return Fired(cron, app, (f"{word} its run of {_time(due_at)}: {why}",))


def _record(
    connection: Connection, cron: Cron, app: App, release: Release, due_at: datetime
) -> Run:
    wanted = Wanted(cron.command, False, cron.package, cron.time_limit_s)
    run_rules.command_of(release, cron.command)
    run = one_off.record(connection, app, release, wanted, cron.type)
    result = Result(
        run.machine_uuid, cron.id, due_at, 1, run.name, Outcome.STARTING, "", run.created_at
    )
    crons.record(connection, result)
    return run


def _start_now(connection: Connection, app: App, name: str, moment: datetime) -> Fired:
    cron = crons.named(connection, app.id, name)
    going_on = crons.under_way(connection, cron.id)
    if len(going_on) >= (rules.RUNS_AT_ONCE_MAX if cron.overlap else 1):
        process = going_on[0].process
        hint = f"Wait for its end, or: paas ps:stop {process} -a {app.name}"
        raise UserError("conflict", f"{process} still goes on.", hint)
    release = releases.current(connection, app.id)
    if release is None or release.image_uuid is None:
        hint = "Push it: git push paas main"
        raise UserError("conflict", f"{app.name} has no release yet.", hint)
    return Fired(cron, app, (), _record(connection, cron, app, release, moment), release)


def _begun(connection: Connection) -> list[tuple[Fired, Result]]:
    found = []
    by_uuid = {run.machine_uuid: run for run in runs.all(connection)}
    for result in crons.under_way(connection):
        cron, run = crons.by_id(connection, result.cron_id), by_uuid.get(result.id)
        app = cron and apps.by_id(connection, cron.app_id)
        if cron and app and run:
            release = releases.by_version(connection, app.id, run.release_version)
            found.append((Fired(cron, app, (), run, release), result))
    return found


def _give_up(connection: Connection, run: Run) -> None:
    runs.delete(connection, run.machine_uuid)
    crons.finish(connection, run.machine_uuid, Outcome.MISSED, _DOWN, None, now())


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _say(platform: Platform, cron: Cron, text: str) -> None:
    """A line of the app's log. Nothing that is done depends on room for it."""
    with contextlib.suppress(OSError):
        logs.append(platform.settings, cron.app_id, "heroku", cron.type, text)
