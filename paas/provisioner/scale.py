"""More or fewer instances of the current release: scaling, and making good what got lost."""

from collections.abc import Mapping

from sqlalchemy import Connection

from paas.apps.apps import App
from paas.apps.formation import Formation
from paas.apps.instances import Instance
from paas.apps.packages import package
from paas.apps.releases import Release
from paas.node.client import Machine
from paas.platform.platform import Platform
from paas.platform.tasks import to_the_end
from paas.platform.timeline import Timeline
from paas.provisioner import plan
from paas.provisioner.boot import start
from paas.provisioner.retire import let_go
from paas.store import formation, instances, releases


async def converge(platform: Platform, app: App, timeline: Timeline) -> None:
    """Bring the app's instances to its formation; returns when new ones are ready.

    The caller holds the app's lock. Raises StartFailed; then all that ran goes on running, and
    nothing else does.
    """
    machines = platform.machines.known
    release, change = await platform.database.run(_change, app, machines)
    if release is None or release.image_uuid is None:
        return
    if change.start:
        await start(platform, app, release, change.start, timeline)
    await to_the_end(let_go(platform, change.retire))
    await platform.routes.publish_or_later()


def _change(
    connection: Connection, app: App, machines: Mapping[str, Machine]
) -> tuple[Release | None, plan.Change]:
    release = releases.current(connection, app.id)
    if release is None:
        return None, plan.Change()
    entries = formation.get(connection, app.id)
    present = instances.for_app(connection, app.id)
    change = plan.converge(entries, present, release.version)
    kept = [item for item in present if item not in change.retire]
    odd = [item for item in kept if _is_odd(entries, item, machines.get(item.machine_uuid))]
    return release, plan.Change(
        (*change.start, *plan.replacing(entries, odd)), (*change.retire, *odd)
    )


def _is_odd(entries: Formation, instance: Instance, machine: Machine | None) -> bool:
    """Has its machine another size than the formation says? Then it is replaced."""
    sizes = {entry.type: package(entry.package).max_physical_memory for entry in entries}
    if machine is None or instance.type not in sizes:
        return False
    return bool(machine["max_physical_memory"] != sizes[instance.type])
