"""More or fewer instances of the current release: scaling, and making good what got lost."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from paas.apps.app import App
from paas.apps.instance import Instance
from paas.apps.package import package
from paas.apps.release import Release
from paas.node.client import Machine
from paas.platform import Platform
from paas.provisioner import plan
from paas.provisioner.deploy import replace, start
from paas.provisioner.retire import forget, retire
from paas.store import formation, instances, releases
from paas.timeline import Timeline


async def converge(platform: Platform, app: App, timeline: Timeline) -> None:
    """Bring the app's instances to its formation; returns when new ones are ready.

    The caller holds the app's lock. Raises StartFailed; what runs already goes on running.
    """
    release, change = await platform.database.run(_change, app)
    if release is None or release.image_uuid is None:
        return
    await _let_go(platform, change.retire)
    if change.start:
        await start(platform, app, release, change.start, timeline)
    await _resize(platform, app, release, timeline)
    await platform.routes.publish()


async def _resize(platform: Platform, app: App, release: Release, timeline: Timeline) -> None:
    """Instances whose machine has another size than the formation says are replaced."""
    entries = await platform.database.run(formation.get, app.id)
    sizes = {entry.type: package(entry.package).max_physical_memory for entry in entries}
    present = await platform.database.run(instances.for_app, app.id)
    machines = platform.machines.known
    odd = [item for item in present if _is_odd(machines.get(item.machine_uuid), sizes, item)]
    if odd:
        await replace(platform, app, release, odd, timeline)


def _is_odd(machine: Machine | None, sizes: dict[str, int], instance: Instance) -> bool:
    if machine is None or instance.type not in sizes:
        return False
    return bool(machine["max_physical_memory"] != sizes[instance.type])


async def _let_go(platform: Platform, old: Sequence[Instance]) -> None:
    await platform.database.run(forget, old)
    await asyncio.shield(platform.routes.published())
    retire(platform, old)


def _change(connection: Connection, app: App) -> tuple[Release | None, plan.Change]:
    release = releases.current(connection, app.id)
    if release is None:
        return None, plan.Change()
    entries = formation.get(connection, app.id)
    present = instances.for_app(connection, app.id)
    return release, plan.converge(entries, present, release.version)
