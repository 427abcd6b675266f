"""Keeps the disk from filling: images no release needs any more, leftovers of builds, old logs."""

import asyncio
import logging

from sqlalchemy import Connection

from paas import builder, logs
from paas.apps.release import ReleaseStatus
from paas.errors import PlatformError
from paas.node.client import NodeError
from paas.platform import Platform
from paas.store import apps, builds, instances, releases, trunks

RELEASES_KEPT = 10
"""An app keeps so many different images to be rolled back to; older ones are deleted."""
EVERY_S = 3600.0
log = logging.getLogger(__name__)


async def run(platform: Platform) -> None:
    """Clean at the start, every hour, and whenever asked by `platform.untidy`, for ever."""
    await platform.machines.connected.wait()
    while True:
        try:
            await clean(platform)
        except (NodeError, PlatformError, OSError) as error:
            log.warning("housekeeping: %s", error)
        try:
            await asyncio.wait_for(platform.untidy.wait(), EVERY_S)
        except TimeoutError:
            continue
        finally:
            platform.untidy.clear()


async def clean(platform: Platform) -> None:
    """Delete what nobody claims."""
    for uuid in await builder.sweep(platform.node, lambda: platform.database.run(_claimed)):
        log.info("removed %s, which nothing needs", uuid)
    machines, app_ids = await platform.database.run(_logged)
    await asyncio.to_thread(logs.prune, platform.settings, machines, app_ids)


def _claimed(connection: Connection) -> set[str]:
    """Images of releases that can run (again), trunks, and builds under way."""
    claimed = {build.id for build in builds.unfinished(connection)}
    claimed |= {trunk.image_uuid for trunk in trunks.all(connection)}
    for app in apps.all(connection):
        runnable = [
            release.image_uuid
            for release in releases.all(connection, app.id)
            if release.image_uuid is not None and release.status is not ReleaseStatus.FAILED
        ]
        claimed |= set(list(dict.fromkeys(runnable))[:RELEASES_KEPT])
    return claimed


def _logged(connection: Connection) -> tuple[set[str], set[str]]:
    machines = {item.machine_uuid for item in instances.all(connection)}
    return machines, {app.id for app in apps.all(connection)}
