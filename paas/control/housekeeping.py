"""Keeps the disk from filling: images no release needs any more, leftovers of builds, old logs.

Backs the database up as well.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from paas import builder, logs
from paas.apps.releases import RELEASES_KEPT, ReleaseStatus
from paas.builder.classic import keeping
from paas.errors import PlatformError
from paas.logs.retention import KEEP_S
from paas.node.errors import NodeError
from paas.operations import sources
from paas.platform.platform import Platform
from paas.provisioner.retire import retire_orphans
from paas.settings import Settings
from paas.store import Database, apps, builds, outputs, promotions, releases, runs, trunks
from paas.store.outputs import Output

EVERY_S = 3600.0
BACK_UP_EVERY_S = 60.0
RETRY_PAUSE_S = 2.0
"""After a failure, which most often is a node that is just being started again."""
log = logging.getLogger(__name__)


async def run(platform: Platform) -> None:
    """Clean at the start, every hour, and whenever asked by `platform.untidy`, for ever."""
    while True:
        await platform.machines.connected.wait()
        try:
            await clean(platform)
        except (NodeError, PlatformError, OSError) as error:
            log.warning("housekeeping: %s", error)
            await asyncio.sleep(RETRY_PAUSE_S)
            continue
        try:
            async with asyncio.timeout(EVERY_S):
                await platform.untidy.wait()
        except TimeoutError:
            continue
        finally:
            platform.untidy.clear()


async def clean(platform: Platform) -> None:
    """Delete what nobody claims."""
    for uuid in await builder.sweep(platform.node, lambda: platform.database.run(_claimed)):
        log.info("removed %s, which nothing needs", uuid)
    await retire_orphans(platform, one_offs=False)
    machines, app_ids = await platform.database.run(_logged)
    await asyncio.to_thread(logs.prune, platform.settings, machines, app_ids)
    await asyncio.to_thread(sources.sweep, platform.settings)
    await asyncio.to_thread(keeping.sweep, platform.settings, app_ids)
    await _forget_outputs(platform)


async def back_up(database: Database) -> None:
    """Keep a backup of the database that is hardly older than it, for ever."""
    while True:
        began_s = time.monotonic()
        try:
            await database.back_up()
        except (PlatformError, OSError) as error:
            log.warning("no backup of the database was written: %s", error)
        # It may take a thousandth of the time: nobody waits long for a large one.
        took_s = time.monotonic() - began_s
        await asyncio.sleep(max(BACK_UP_EVERY_S, 1000 * took_s))


async def _forget_outputs(platform: Platform) -> None:
    """A machine whose log is gone, or as good as gone, has no output any more."""
    found = await platform.database.run(_unclaimed_outputs)
    gone = await asyncio.to_thread(_without_log, platform.settings, found)
    await platform.database.run(_delete_outputs, gone)
    for item in gone:
        platform.outputs.remove(item.app_id, item.machine_uuid)


def _unclaimed_outputs(connection: Connection) -> list[Output]:
    claimed = runs.machines(connection)
    return [item for item in outputs.all(connection) if item.machine_uuid not in claimed]


def _without_log(settings: Settings, found: Iterable[Output]) -> list[Output]:
    folder = settings.logs / "machines"
    return [item for item in found if _is_over(folder / f"{item.machine_uuid}.log")]


def _is_over(path: Path) -> bool:
    try:
        return path.lstat().st_mtime < time.time() - KEEP_S
    except FileNotFoundError:
        return True


def _delete_outputs(connection: Connection, gone: Iterable[Output]) -> None:
    for item in gone:
        outputs.delete(connection, item.machine_uuid)


def _claimed(connection: Connection) -> set[str]:
    """Images of releases that can run (again), trunks, builds under way, and accounts."""
    claimed = {build.id for build in builds.unfinished(connection)}
    claimed |= promotions.images(connection)
    claimed |= {trunk.image_uuid for trunk in trunks.all(connection)}
    for app in apps.all(connection):
        claimed.add(app.owner)
        runnable = [
            release.image_uuid
            for release in releases.all(connection, app.id)
            if release.image_uuid is not None and release.status is not ReleaseStatus.FAILED
        ]
        claimed |= set(list(dict.fromkeys(runnable))[:RELEASES_KEPT])
    return claimed


def _logged(connection: Connection) -> tuple[set[str], set[str]]:
    return runs.machines(connection), {app.id for app in apps.all(connection)}
