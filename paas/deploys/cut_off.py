"""At the start of control: deploys that the last one did not live to see the end of.

Those that had switched have succeeded, whatever was left to note; all others have failed, and the
old release never stopped.
"""

import asyncio

from sqlalchemy import Connection

from gitserver import trees
from paas.apps.builds import Build, BuildStatus
from paas.apps.promotions import Target
from paas.apps.releases import Release, ReleaseStatus
from paas.platform.platform import Platform
from paas.store import builds, instances, promises, promotions, releases
from paas.store.promises import Promise

STOPPED = "the platform stopped during the"


async def fail_unfinished(platform: Platform) -> None:
    """Before anything new begins: what was cut off has failed."""
    await platform.database.run(_fail_unfinished)


async def keep_promises(platform: Platform) -> None:
    """The refs of releases that succeeded follow them now."""
    for promise, release in await platform.database.run(_promised):
        if release.status is ReleaseStatus.SUCCEEDED:
            path = platform.settings.repository(promise.app_id)
            await asyncio.to_thread(trees.set_ref, path, promise.ref, promise.commit)
        await platform.database.run(promises.delete, promise.app_id)


def _fail_unfinished(connection: Connection) -> None:
    for build in builds.unfinished(connection):
        _end_build(connection, build)
    for release in releases.pending(connection):
        status = ReleaseStatus.FAILED
        releases.set_status(connection, release.id, status, failure=f"{STOPPED} deploy")
        for instance in instances.for_app(connection, release.app_id):
            if instance.release_version == release.version:
                instances.delete(connection, instance.machine_uuid)
    for target in promotions.unfinished(connection):
        _end_promotion(connection, target)


def _end_build(connection: Connection, build: Build) -> None:
    """A build whose release was switched to has succeeded, though nobody lived to note it."""
    release = releases.current(connection, build.app_id)
    made = release and release.commit == build.commit and release.created_at >= build.created_at
    if release and made:
        status, image = BuildStatus.SUCCEEDED, release.image_uuid
        builds.set_status(connection, build.id, status, image_uuid=image, release_id=release.id)
    else:
        status = BuildStatus.FAILED
        builds.set_status(connection, build.id, status, failure=f"{STOPPED} build")


def _end_promotion(connection: Connection, target: Target) -> None:
    """Likewise: one whose release was switched to has succeeded."""
    release = releases.by_id(connection, target.release_id) if target.release_id else None
    live = release is not None and release.status is ReleaseStatus.SUCCEEDED
    promotions.end(connection, target.id, None if live else f"{STOPPED} promotion")


def _promised(connection: Connection) -> list[tuple[Promise, Release]]:
    return [
        (promise, releases.by_id(connection, promise.release_id))
        for promise in promises.all(connection)
    ]
