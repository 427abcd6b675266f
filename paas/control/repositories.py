"""Keeps repositories small: what refused pushes left in them, and those that are no app's."""

import asyncio
import logging
import shutil

from sqlalchemy import Connection

import gitserver
from gitserver import collecting, trees
from paas.apps.apps import App
from paas.apps.releases import RELEASES_KEPT
from paas.platform.platform import Platform
from paas.store import apps, builds, releases, trunks

COLLECT_EVERY_S = 60.0
"""Looked at so often, because an app may be busy; what is due, `gitserver.collecting` knows."""
log = logging.getLogger(__name__)


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


async def delete_unclaimed(platform: Platform) -> None:
    """Delete those of no app, before a new one can be made: creating and destroying leave them
    when control dies in the middle."""
    known = await platform.database.run(apps.all)
    kept = {platform.settings.repository(app.id) for app in known}
    for path in sorted(set(platform.settings.repositories.glob("*.git")) - kept):
        log.info("removing %s, which is of no app", path)
        await asyncio.to_thread(trees.delete, path)
    for path in platform.settings.repositories.glob(".*.git.deleted"):
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


def _needed_commits(connection: Connection, app_id: str) -> set[str]:
    """Of the trunk, which the next build starts from, of builds under way and of releases."""
    trunk = trunks.get(connection, app_id)
    # One of an archive has no commit before it was fetched.
    found = {b.commit for b in builds.unfinished(connection) if b.app_id == app_id and b.commit}
    found |= {trunk.commit} if trunk else set()
    kept = [release.commit for release in releases.all(connection, app_id) if release.commit]
    return found | set(list(dict.fromkeys(kept))[:RELEASES_KEPT])
