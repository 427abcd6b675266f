"""Starts instances: recorded, made, and ready to answer; says why one is not."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from paas.apps import address
from paas.apps.apps import App
from paas.apps.instances import Instance
from paas.apps.packages import package
from paas.apps.processes import WEB
from paas.apps.releases import Release
from paas.errors import PlatformError, UserError
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.platform.tasks import all_of
from paas.platform.timeline import Timeline
from paas.provisioner import payload, room, unready
from paas.provisioner.payload import Payload
from paas.provisioner.plan import Wanted
from paas.provisioner.retire import discard, forget
from paas.store import instances as rows
from paas.store import outputs

NODE_AWAY_S = 30.0
NOT_RUN = 127
"""The exit status of a command that can't be run, as shells have it."""
STEADY_S = 1.0
"""An instance that never listens is taken for good when it ran this long (no.de's rule)."""


class StartFailed(UserError):
    """An instance ended, or did not answer in time. `status` is its exit status, if it ended.

    `is_known`: the message and the hint say why, and the app's output need not be searched for it.
    """

    def __init__(
        self,
        instance: Instance,
        message: str,
        hint: str = "",
        status: int | None = None,
        *,
        is_known: bool = False,
    ) -> None:
        super().__init__("start_failed", message, hint)
        self.instance = instance
        self.status = status
        self.is_known = is_known


@dataclass(frozen=True)
class Start:
    """An instance that is to run, and what the node is asked to make for it."""

    instance: Instance
    payload: Payload


async def start(
    platform: Platform,
    app: App,
    release: Release,
    wanted: Sequence[Wanted],
    timeline: Timeline,
) -> None:
    """Record, make and boot instances, all at once; none is left when one fails.

    Raises NoRoom before anything is made, when the server has none for all of them.
    """
    host = address.hostname(app.name, platform.settings)
    starts = [new(app, release, item, host) for item in wanted]
    instances = [each.instance for each in starts]
    await room.check(platform, [each.payload for each in starts])
    try:
        await record(platform, instances)
        async with timeline.step("boot"):
            await _create_all(platform, starts)
        async with timeline.step("ready"):
            await ready(platform, instances)
    except BaseException:
        await asyncio.shield(_abandon(platform, instances))
        raise


def new(app: App, release: Release, wanted: Wanted, host: str) -> Start:
    """`host`: what its health is asked for."""
    instance = Instance(
        machine_uuid=str(uuid.uuid4()),
        app_id=app.id,
        release_version=release.version,
        type=wanted.type,
        number=wanted.number,
        created_at=datetime.now(UTC),
    )
    return again(app, release, instance, wanted.package, host)


def again(app: App, release: Release, instance: Instance, package_name: str, host: str) -> Start:
    """The start of an instance that is recorded already."""
    made = payload.instance(
        app,
        release,
        machine_uuid=instance.machine_uuid,
        name=instance.name,
        package=package(package_name),
        type=instance.type,
        host=host,
    )
    return Start(instance, made)


async def record(platform: Platform, instances: Sequence[Instance]) -> None:
    """Write down what should exist, before it does."""

    def insert_all(connection: Connection) -> None:
        for instance in instances:
            rows.insert(connection, instance)
            outputs.add(connection, instance.machine_uuid, instance.app_id, instance.name)

    await platform.database.run(insert_all)
    for instance in instances:
        platform.outputs.add(instance.app_id, instance.machine_uuid, instance.name)


async def _create_all(platform: Platform, starts: Sequence[Start]) -> None:
    try:
        await all_of([create(platform, each) for each in starts])
    except NodeError as error:
        raise PlatformError(f"a machine could not be made: {error.message}") from error


async def create(platform: Platform, start: Start) -> None:
    """Make the machine; returns when its first process runs. May be repeated.

    Raises StartFailed when the command can't be run, NoRoom, UserError when the pool is full or
    fails, NodeError while no node answers, PlatformError for the rest.
    """
    try:
        await platform.machines.persist(lambda: platform.node.create(start.payload), NODE_AWAY_S)
    except NodeError as error:
        if error.code == "Unavailable":
            raise
        if error.code != "StartFailed":
            raise await room.refused(platform, error) from error
        said = f"{start.instance.name} could not start: {error.message}"
        raise StartFailed(start.instance, said, status=NOT_RUN) from error


async def ready(platform: Platform, instances: Sequence[Instance]) -> None:
    """Wait until every web instance answers and every other one has run for a moment.

    Raises StartFailed, also when another one ends while a web instance is still waited for.
    """
    others = [item for item in instances if item.type != WEB]
    await all_of(
        [_web_ready(platform, item) for item in instances if item.type == WEB]
        + [_steady(platform, item) for item in others]
    )
    for item in others:
        _check_alive(item, platform.machines.known.get(item.machine_uuid))


async def _abandon(platform: Platform, instances: Sequence[Instance]) -> None:
    await platform.database.run(forget, instances)
    discard(platform, instances)


async def _web_ready(platform: Platform, instance: Instance) -> None:
    timeout_s = platform.settings.boot_timeout_s

    def listening(machine: Machine | None) -> bool | None:
        _check_alive(instance, machine)
        return True if machine and machine.get("listening") else None

    try:
        await platform.machines.wait(instance.machine_uuid, listening, timeout_s)
    except TimeoutError:
        machine = platform.machines.known.get(instance.machine_uuid) or {}
        found = machine.get("unreachable", {})
        message, hint = unready.explain(instance.name, found, timeout_s)
        raise StartFailed(instance, message, hint, is_known=unready.is_known(found)) from None


async def _steady(platform: Platform, instance: Instance) -> None:
    def ended(machine: Machine | None) -> None:
        _check_alive(instance, machine)

    try:
        await platform.machines.wait(instance.machine_uuid, ended, STEADY_S)
    except TimeoutError:
        return


def _check_alive(instance: Instance, machine: Machine | None) -> None:
    """Raises StartFailed when the machine's process has ended, be it started again or not.

    An end without a status is none of the app's: a node that died while it booted the machine
    boots it again.
    """
    if machine is None:
        return
    status = machine.get("exit_status")
    if machine["state"] != "failed" and status is None:
        return
    how = machine.get("failure") or _how_it_ended(status)
    raise StartFailed(instance, f"{instance.name} {how}", status=status)


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "ended"
    if status > 128:
        return f"was killed by signal {status - 128} before it was ready"
    return f"exited with status {status} before it was ready"
