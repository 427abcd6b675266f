"""One-off runs: `paas run`, Heroku's one-off dynos. A machine of its own for each, never two.

The steps, and what a crash of control leaves at each (`resume`, at the next start):

    the row            nothing runs yet: the row goes, and the log says so
    the machine        of a detached run it is the run: it goes on, and is watched again
    somebody attached  the bytes pass control, so the connection is gone: the run ends like one
                       whose client has hung up
    the row is gone    the machine is to go: `retire_orphans`

A detached run is its machine's first process, so that it outlives control and the node; its output
is the app's. An attached one is run inside an idle machine, on its client's connection; what it
prints is the client's alone. Those of crons are detached; what became of them is recorded in the
transaction in which their row goes (`paas.runs.cron`).
"""

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from paas import logs
from paas.apps import runs as rules
from paas.apps.apps import App
from paas.apps.crons import Outcome
from paas.apps.packages import package
from paas.apps.releases import Release
from paas.apps.runs import Run, Wanted
from paas.errors import PlatformError, UserError
from paas.node import words
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.attachments import Client, Offer
from paas.platform.platform import Platform
from paas.provisioner import payload, room
from paas.provisioner.boot import NODE_AWAY_S
from paas.provisioner.retire import remove
from paas.runs import session
from paas.runs.session import Ended, Process
from paas.store import crons, outputs, releases, runs
from paas.store.sql.row import new_id, now

ATTACH_S = 60.0
"""How long a run waits for its client."""
SEEN_S = 60.0
TOLD_S = 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """A run that has been started; `offer` is for its client, if it waits for one."""

    run: Run
    release: Release
    offer: Offer | None = None


async def start(platform: Platform, app: App, wanted: Wanted, user: str, type: str = "") -> Started:
    """Returns when its machine runs. Raises UserError, PlatformError; then nothing is left."""
    release = await platform.database.run(releases.current, app.id)
    if release is None or release.image_uuid is None:
        raise UserError(
            "conflict", f"{app.name} has no release yet.", "Push it: git push paas main"
        )
    command = rules.command_of(release, wanted.command, type)
    run = await platform.database.run(record, app, release, wanted)
    if not run.attached:
        platform.outputs.add(app.id, run.machine_uuid, run.name)
    _say(platform, run, "api", f"Starting process with command `{wanted.command}` by user {user}")
    message = _payload(app, release, run, command, wanted.environment)
    await _create(platform, run, message)
    if not run.attached:
        _watch(platform, run)
        return Started(run, release)
    offer = platform.attachments.offer()
    argv = command["argv"] if wanted.size else rules.alone(command["argv"])
    folder = str(message["internal_metadata"][words.FOLDER])
    process = Process(run.machine_uuid, argv, folder, wanted.size)
    platform.background.start(_attached(platform, run, process, offer), f"{run.name}")
    return Started(run, release, offer)


async def launch(platform: Platform, app: App, release: Release, run: Run) -> None:
    """Start a detached run that is recorded. It may have been begun already, by a control that was
    killed: it is never started a second time. Raises UserError, PlatformError; then it is over."""
    message = _payload(app, release, run, rules.command_of(release, run.command), {})
    await _create(platform, run, message)
    _watch(platform, run)


def stop(platform: Platform, run: Run) -> None:
    """SIGTERM, 30 s, SIGKILL, in the background; it counts as ended at once."""
    _say(platform, run, run.name, "Stopping all processes with SIGTERM")
    ended = Ended(128 + signal.SIGTERM, "it was stopped")
    platform.background.start(forget(platform, run, ended), f"stop {run.name}")


async def resume(platform: Platform) -> None:
    """At the start, when the node has told what runs: what the last control had going.

    What of a cron has no machine is left to the cron.
    """
    for run in await platform.database.run(runs.all):
        machine = platform.machines.known.get(run.machine_uuid)
        if run.attached:
            text = "ended with its connection: the platform was restarted"
            await forget(platform, run, Ended(session.LOST), text)
        elif machine is None and run.type == rules.TYPE:
            text = "was not started: the platform was restarted"
            await forget(platform, run, Ended(session.LOST), text)
        elif machine is not None and (ended := _ending(machine)):
            await forget(platform, run, ended)
        elif machine is not None:
            _watch(platform, run)


def record(
    connection: Connection, app: App, release: Release, wanted: Wanted, type: str = rules.TYPE
) -> Run:
    """Before anything is made; `type` is the process type in its name. Raises UserError."""
    taken = {run.number for run in runs.for_app(connection, app.id)}
    logged = {output.process for output in outputs.for_app(connection, app.id)}
    taken |= {int(name.rpartition(".")[2]) for name in logged if name.startswith(f"{type}.")}
    began = now()
    run = Run(
        machine_uuid=new_id(),
        app_id=app.id,
        release_version=release.version,
        number=rules.new_number(taken),
        command=wanted.command,
        package=wanted.package,
        attached=wanted.attached,
        created_at=began,
        ends_at=rules.end_of(began, wanted.time_limit_s),
        type=type,
    )
    if not run.attached:
        outputs.add(connection, run.machine_uuid, app.id, run.name)
    return runs.insert(connection, run)


async def _create(platform: Platform, run: Run, message: dict[str, Any]) -> None:
    async def create() -> None:
        # A machine that ran and ended would be booted again by a repeated `create`.
        if run.attached or not await _has_begun(platform, run):
            await platform.node.create(message)

    try:
        await platform.machines.persist(create, NODE_AWAY_S)
    except NodeError as error:
        why = f"could not be started: {error.message}"
        await forget(platform, run, Ended(session.LOST, why), why)
        raise await room.refused(platform, error) from error
    _say(platform, run, run.name, "State changed from starting to up")


async def _has_begun(platform: Platform, run: Run) -> bool:
    try:
        machine = await platform.node.get(run.machine_uuid)
    except NodeError as error:
        if error.code != "VmNotFound":
            raise
        return False
    return machine["state"] == "running" or bool(machine.get("exit_timestamp"))


def _payload(
    app: App,
    release: Release,
    run: Run,
    command: Mapping[str, Any],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    own = replace(
        release,
        commands={**release.commands, rules.TYPE: command},
        config={**release.config, **environment},
    )
    message = payload.one_off(
        app,
        own,
        machine_uuid=run.machine_uuid,
        name=run.name,
        package=package(run.package),
        type=rules.TYPE,
        place=run.name,
    )
    return payload.idle(message) if run.attached else message


async def _attached(platform: Platform, run: Run, process: Process, offer: Offer) -> None:
    ended = Ended(session.LOST, "nobody attached to it")
    client: Client | None = None
    try:
        client = await offer.taken(ATTACH_S)
        ended = await _tied(platform, run, process, client)
    except TimeoutError:
        _say(platform, run, run.name, "Error R13 (Attach error) -> Failed to attach to process")
    except asyncio.CancelledError:
        raise  # Control ends; the next one sees to the rest.
    except (NodeError, PlatformError) as error:
        ended = Ended(session.LOST, f"the platform failed: {error}")
    ended = await _explained(platform, run, ended)
    await forget(platform, run, ended, f"Process exited with status {ended.status}", ended.said)
    if client is not None:
        await client.end(ended.status, ended.said)


async def _tied(platform: Platform, run: Run, process: Process, client: Client) -> Ended:
    left_s = (run.ends_at - now()).total_seconds()
    try:
        async with asyncio.timeout(max(left_s, 0)):
            return await session.tie(platform.node, process, client)
    except TimeoutError:
        return Ended(128 + signal.SIGTERM, "its time limit was reached")


async def _explained(platform: Platform, run: Run, ended: Ended) -> Ended:
    """Whether SIGKILL came from the kernel, for want of memory: the node tells a moment later."""
    if ended.status != 128 + signal.SIGKILL or ended.said:
        return ended

    def kills(machine: Machine | None) -> bool | None:
        return bool(machine and machine.get("oom_kills")) or None

    try:
        await platform.machines.wait(run.machine_uuid, kills, TOLD_S)
    except TimeoutError:
        return ended
    memory_mib = package(run.package).max_physical_memory
    return Ended(ended.status, f"it ran out of memory: {run.package} has {memory_mib} MiB")


def _watch(platform: Platform, run: Run) -> None:
    platform.background.start(_watched(platform, run), f"watch {run.name}")


async def _watched(platform: Platform, run: Run) -> None:
    """A detached run: until it has ended, is gone, or its time is over."""
    left_s = max((run.ends_at - now()).total_seconds(), 0.0)
    wait = platform.machines.wait
    try:
        await wait(run.machine_uuid, lambda machine: machine and True, min(SEEN_S, left_s))
        ended = await wait(run.machine_uuid, _ending, left_s)
        said = ""
    except TimeoutError:
        said = "Time limit reached: stopping all processes with SIGTERM"
        ended = Ended(128 + signal.SIGTERM, "its time limit was reached")
    await forget(platform, run, ended, said)


def _ending(machine: Machine | None) -> Ended | None:
    """How it has ended, or None while it goes on (or was not booted yet)."""
    if machine is None:
        return Ended(session.LOST, "its machine is gone")
    if machine["state"] == "failed":
        return Ended(session.LOST, f"its machine failed: {machine.get('failure') or 'see the log'}")
    if machine["state"] != "stopped" or not machine.get("exit_timestamp"):
        return None
    status = machine.get("exit_status")
    memory = f"it ran out of memory: {machine['max_physical_memory']} MiB"
    said = memory if machine.get("oom_kills") and status else ""
    if status is None:
        return Ended(session.LOST, "nobody saw its end")
    return Ended(int(status), said)


async def forget(platform: Platform, run: Run, ended: Ended, *said: str) -> None:
    """Record that it has ended, and let its machine go; once, whoever says so first. `said` are
    lines for the log."""
    if not await platform.database.run(_end, run, ended):
        return
    for text in filter(None, said):
        _say(platform, run, run.name, text)
    if run.attached:  # Of a detached run the node has said it: it has seen the end.
        _say(platform, run, run.name, "State changed from up to complete")
    platform.background.start(remove(platform, run.machine_uuid), f"remove {run.name}")


def _end(connection: Connection, run: Run, ended: Ended) -> bool:
    if not runs.delete(connection, run.machine_uuid):
        return False
    outcome = Outcome.FAILED if ended.status else Outcome.SUCCEEDED
    crons.finish(connection, run.machine_uuid, outcome, ended.said, ended.status, now())
    return True


def _say(platform: Platform, run: Run, who: str, text: str) -> None:
    """A line of the app's log. Nothing that is done depends on room for it."""
    source = "app" if who == "api" else "heroku"
    try:
        logs.append(platform.settings, run.app_id, source, who, text)
    except OSError as error:
        log.warning("%s: %s (not logged: %s)", run.name, text, error)
