"""Makes good what a crash, a reboot or an operator left: at the start, and whenever a machine goes.

The node itself starts a process again that ends. Here is the rest: machines that nobody claims,
instances whose machine is gone, stopped or failed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from paas.apps import address
from paas.apps.apps import App
from paas.apps.instances import Instance
from paas.apps.processes import WEB
from paas.apps.releases import Release
from paas.errors import PlatformError, UserError
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.platform.tasks import is_cancelled
from paas.platform.timeline import Timeline
from paas.provisioner import boot
from paas.provisioner.retire import retire_orphans
from paas.provisioner.scale import converge
from paas.store import apps, formation, instances, releases

PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 60.0
log = logging.getLogger(__name__)


async def reconcile(platform: Platform) -> None:
    """At the start, when the node answers: retire orphans, bring every app to its state."""
    await retire_orphans(platform, one_offs=True)
    platform.routes.changed()
    for app in await platform.database.run(apps.all):
        _begin(platform, app, first_pause_s=0.0)


async def answering(platform: Platform, timeout_s: float) -> None:
    """Wait until the web instances that should be there listen, or can't; at most so long."""
    found = await platform.database.run(_web_instances)
    waits = (platform.machines.wait(item.machine_uuid, _is_over, timeout_s) for item in found)
    for end in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(end, Exception) and not isinstance(end, TimeoutError):
            raise end


async def run(platform: Platform) -> None:
    """Heal an app whenever one of its machines goes away or fails, for ever."""
    hurt: asyncio.Queue[str] = asyncio.Queue()

    def changed(uuid: str, machine: Machine | None) -> None:
        if _needs_help(machine):
            hurt.put_nowait(uuid)

    with platform.machines.listening(changed):
        while True:
            app = await platform.database.run(_app_of, await hurt.get())
            if app is not None:
                _begin(platform, app, first_pause_s=PAUSE_MIN_S)


def _begin(platform: Platform, app: App, *, first_pause_s: float) -> None:
    """Heal in the background; once at a time is enough, because it goes on until all is well."""
    work = partial(_heal, platform, app, first_pause_s)
    platform.background.start_once(f"heal {app.id}", work, f"heal {app.name}")


async def _heal(platform: Platform, app: App, pause_s: float) -> None:
    while True:
        await asyncio.sleep(pause_s)
        async with platform.locks[app.id]:
            if await _try(platform, app) or is_cancelled():
                return
        pause_s = min(max(pause_s * 2, PAUSE_MIN_S), PAUSE_MAX_S)


async def _try(platform: Platform, app: App) -> bool:
    """Whether every instance of the formation has a machine that lives (or nothing should)."""
    try:
        release = await platform.database.run(releases.current, app.id)
        if release is None or release.image_uuid is None:
            return True
        for instance in await _present(platform, release):
            await _revive(platform, app, release, instance)
        await converge(platform, app, Timeline())
        return _all_live(platform, await _present(platform, release))
    except (UserError, PlatformError) as error:
        log.warning("%s can't be healed: %s", app.name, error)
        return False


async def _present(platform: Platform, release: Release) -> list[Instance]:
    found = await platform.database.run(instances.for_app, release.app_id)
    return [item for item in found if item.release_version == release.version]


def _all_live(platform: Platform, present: Iterable[Instance]) -> bool:
    known = platform.machines.known
    return not any(_needs_help(known.get(item.machine_uuid)) for item in present)


async def _revive(platform: Platform, app: App, release: Release, instance: Instance) -> None:
    """See that the instance's machine exists and runs; one that can't holds up no other."""
    machine = platform.machines.known.get(instance.machine_uuid)
    if not _needs_help(machine):
        return
    try:
        if machine is not None and machine["state"] == "stopped":
            await _ask(platform, lambda: platform.node.start(instance.machine_uuid))
            return
        if machine is not None:
            await _ask(platform, lambda: platform.node.delete(instance.machine_uuid))
        package = await platform.database.run(_package, app.id, instance.type)
        host = address.hostname(app.name, platform.settings)
        await boot.create(platform, boot.again(app, release, instance, package, host))
    except (NodeError, UserError, PlatformError) as error:
        log.warning("%s of %s can't run: %s", instance.name, app.name, error)


async def _ask(platform: Platform, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    await platform.machines.persist(call, boot.NODE_AWAY_S)


def _needs_help(machine: Machine | None) -> bool:
    """Gone, stopped or failed; not one that the node is about to start again by itself."""
    if machine is None:
        return True
    return machine["state"] in ("stopped", "failed") and not machine.get("restarting")


def _is_over(machine: Machine | None) -> bool | None:
    """Whether an instance's start has come to an end, good or bad; None while it goes on."""
    if machine is None:
        return None
    ended = machine["state"] in ("stopped", "failed") or machine.get("restarting")
    return True if machine.get("listening") or ended else None


def _web_instances(connection: Connection) -> list[Instance]:
    """Those of the current releases."""
    found = []
    for app in apps.all(connection):
        release = releases.current(connection, app.id)
        for item in instances.for_app(connection, app.id):
            if item.type == WEB and release and item.release_version == release.version:
                found.append(item)
    return found


def _package(connection: Connection, app_id: str, type: str) -> str:
    entries = {entry.type: entry for entry in formation.get(connection, app_id)}
    return entries[type].package


def _app_of(connection: Connection, machine_uuid: str) -> App | None:
    instance = instances.by_machine(connection, machine_uuid)
    return apps.by_id(connection, instance.app_id) if instance else None
