"""Makes good what a crash, a reboot or an operator left: at the start, and whenever a machine goes.

The node itself starts a process again that ends. Here is the rest: deploys that were cut off,
machines that nobody claims, instances whose machine is gone, stopped or failed.
"""

import asyncio
import logging
from collections import defaultdict

from sqlalchemy import Connection

from paas.apps.app import App
from paas.apps.build import Build, BuildStatus
from paas.apps.instance import Instance
from paas.apps.release import Release, ReleaseStatus
from paas.errors import PlatformError, UserError
from paas.node.client import Machine, NodeError
from paas.platform import Platform
from paas.provisioner import boot
from paas.provisioner.payload import INSTANCE_TAG
from paas.provisioner.retire import retire_machine
from paas.provisioner.scale import converge
from paas.store import apps, builds, formation, instances, outputs, releases
from paas.timeline import Timeline

PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 60.0
log = logging.getLogger(__name__)


async def fail_unfinished(platform: Platform) -> None:
    """At the start of control, before anything new: what was cut off has failed."""
    await platform.database.run(_fail_unfinished)
    for output in await platform.database.run(outputs.all):
        platform.outputs[output.app_id].append((output.machine_uuid, output.process))


async def reconcile(platform: Platform) -> None:
    """At the start, when the node answers: retire orphans, bring every app to its state."""
    claimed = {item.machine_uuid for item in await platform.database.run(instances.all)}
    for uuid, machine in list(platform.machines.known.items()):
        if INSTANCE_TAG in machine.get("tags", {}) and uuid not in claimed:
            retire_machine(platform, uuid)
    platform.routes.changed()
    for app in await platform.database.run(apps.all):
        platform.background(_heal_app(platform, app), f"start {app.name}")


async def run(platform: Platform) -> None:
    """Heal an app whenever one of its machines goes away or fails, for ever."""
    hurt: asyncio.Queue[str] = asyncio.Queue()

    def changed(uuid: str, machine: Machine | None) -> None:
        if machine is None or _needs_help(machine):
            hurt.put_nowait(uuid)

    pauses: dict[str, float] = defaultdict(lambda: PAUSE_MIN_S)
    with platform.machines.listening(changed):
        while True:
            uuid = await hurt.get()
            app = await platform.database.run(_app_of, uuid)
            if app is not None and not platform.locks[app.id].locked():
                pause_s = pauses[uuid]
                pauses[uuid] = min(pause_s * 2, PAUSE_MAX_S)
                work = _heal_app(platform, app, pause_s)
                platform.background(work, f"heal {app.name}")


async def _heal_app(platform: Platform, app: App, pause_s: float = 0.0) -> None:
    await asyncio.sleep(pause_s)
    async with platform.locks[app.id]:
        release = await platform.database.run(releases.current, app.id)
        if release is None or release.image_uuid is None:
            return
        for instance in await platform.database.run(instances.for_app, app.id):
            if instance.release_version == release.version:
                await _revive(platform, app, release, instance)
        try:
            await converge(platform, app, Timeline())
        except (UserError, PlatformError) as error:
            log.warning("%s: %s", app.name, error)


async def _revive(platform: Platform, app: App, release: Release, instance: Instance) -> None:
    """See that the instance's machine exists and runs."""
    machine = platform.machines.known.get(instance.machine_uuid)
    if machine is not None and not _needs_help(machine):
        return
    try:
        if machine is not None and machine["state"] == "failed":
            await platform.node.delete(instance.machine_uuid)
        if machine is not None and machine["state"] == "stopped":
            await platform.node.start(instance.machine_uuid)
        else:
            package = await platform.database.run(_package, app.id, instance.type)
            await boot.create(platform, app, release, instance, package)
    except NodeError as error:
        log.warning("%s of %s can't run: %s", instance.name, app.name, error.message)


def _needs_help(machine: Machine) -> bool:
    """Not one that the node is about to start again by itself."""
    return machine["state"] in ("stopped", "failed") and not machine.get("restarting")


def _package(connection: Connection, app_id: str, type: str) -> str:
    entries = {entry.type: entry for entry in formation.get(connection, app_id)}
    return entries[type].package


def _app_of(connection: Connection, machine_uuid: str) -> App | None:
    instance = instances.by_machine(connection, machine_uuid)
    return apps.by_id(connection, instance.app_id) if instance else None


def _end_build(connection: Connection, build: Build) -> None:
    """A build whose release was switched to has succeeded, though nobody lived to note it."""
    release = releases.current(connection, build.app_id)
    made = release and release.commit == build.commit and release.created_at >= build.created_at
    if release and made:
        status, image = BuildStatus.SUCCEEDED, release.image_uuid
        builds.set_status(connection, build.id, status, image_uuid=image, release_id=release.id)
    else:
        reason = "the platform stopped during the build"
        builds.set_status(connection, build.id, BuildStatus.FAILED, failure=reason)


def _fail_unfinished(connection: Connection) -> None:
    """Deploys that control did not live to see the end of: the old release never stopped."""
    for build in builds.unfinished(connection):
        _end_build(connection, build)
    for release in releases.pending(connection):
        reason = "the platform stopped during the deploy"
        releases.set_status(connection, release.id, ReleaseStatus.FAILED, failure=reason)
        for instance in instances.for_app(connection, release.app_id):
            if instance.release_version == release.version:
                instances.delete(connection, instance.machine_uuid)
