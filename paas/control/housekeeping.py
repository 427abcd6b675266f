"""Keeps the disk from filling: images no release needs any more, leftovers of builds, old logs,
what refused pushes left in repositories."""

import asyncio
import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

import gitserver
from gitserver import collecting, trees
from paas import builder, logs
from paas.apps.app import App
from paas.apps.release import RELEASES_KEPT, ReleaseStatus
from paas.errors import PlatformError
from paas.logs.retention import KEEP_S
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.provisioner.retire import retire_orphans
from paas.settings import Settings
from paas.store import Database, apps, builds, instances, outputs, releases, trunks
from paas.store.outputs import Output

EVERY_S = 3600.0
COLLECT_EVERY_S = 60.0
"""Looked at so often, because an app may be busy; what is due, `gitserver.collecting` knows."""
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


async def collect_garbage(platform: Platform, git_server: gitserver.GitServer) -> None:
    """Take out of repositories what refused pushes left, one at a time, for ever."""
    while True:
        for app in await platform.database.run(apps.all):
            try:
                await collect_of(platform, git_server, app)
            except OSError as error:
                log.warning("the repository of %s was not collected: %s", app.name, error)
        await asyncio.sleep(COLLECT_EVERY_S)


async def collect_of(platform: Platform, git_server: gitserver.GitServer, app: App) -> bool:
    """Whether it was due and nobody wanted the app meanwhile. Raises OSError when git fails."""
    path, lock = platform.settings.repository(app.id), platform.locks[app.id]
    if lock.locked() or not await asyncio.to_thread(collecting.is_due, path) or lock.locked():
        return False

    async def collect() -> bool:
        keep = await platform.database.run(_needed_commits, app.id)
        return path.exists() and await git_server.collect(path, keep)

    return await lock.giving_way(collect())


async def delete_repositories(platform: Platform) -> None:
    """Delete those of no app, before a new one can be made: creating and destroying leave them
    when control dies in the middle."""
    known = await platform.database.run(apps.all)
    kept = {platform.settings.repository(app.id) for app in known}
    for path in sorted(set(platform.settings.repositories.glob("*.git")) - kept):
        log.info("removing %s, which is of no app", path)
        await asyncio.to_thread(trees.delete, path)
    for path in platform.settings.repositories.glob(".*.git.deleted"):
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


async def _forget_outputs(platform: Platform) -> None:
    """A machine whose log is gone, or as good as gone, has no output any more."""
    found = await platform.database.run(_unclaimed_outputs)
    gone = await asyncio.to_thread(_without_log, platform.settings, found)
    await platform.database.run(_delete_outputs, gone)
    for item in gone:
        platform.outputs.remove(item.app_id, item.machine_uuid)


def _unclaimed_outputs(connection: Connection) -> list[Output]:
    claimed = {item.machine_uuid for item in instances.all(connection)}
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


def _needed_commits(connection: Connection, app_id: str) -> set[str]:
    """Of the trunk, which the next build starts from, of builds under way and of releases."""
    trunk = trunks.get(connection, app_id)
    found = {build.commit for build in builds.unfinished(connection) if build.app_id == app_id}
    found |= {trunk.commit} if trunk else set()
    kept = [release.commit for release in releases.all(connection, app_id) if release.commit]
    return found | set(list(dict.fromkeys(kept))[:RELEASES_KEPT])


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
