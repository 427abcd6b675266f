"""Builds that nobody pushes, and what any build prints."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gitserver import GitServer, trees
from paas.apps import branches
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.builder import transcript
from paas.deploys.archive import Archive, begin_archive
from paas.deploys.rebuild import begin_rebuild
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import builds

POLL_S = 0.1
"""The file of a build has one writer and few readers; it is looked at while somebody watches."""


@dataclass(frozen=True)
class Builds:
    platform: Platform
    git_server: GitServer

    async def start_archive(
        self, app: App, archive: Archive, user: str, *, from_nothing: bool = False
    ) -> Build:
        """Of an archive, which is not fetched yet; does not wait for its end."""
        return await begin_archive(
            self.platform, self.git_server, app, archive, user, from_nothing=from_nothing
        )

    async def start(
        self, app: App, commit: str | None, user: str, *, from_nothing: bool = False
    ) -> Build:
        """Of that commit, or of the one that was pushed last; does not wait for its end.

        `from_nothing`: nothing of earlier builds is used.
        """
        path = self.platform.settings.repository(app.id)
        for name in (commit,) if commit else branches.deployed(app.deploy_branch):
            found = await asyncio.to_thread(trees.resolve, path, name or "")
            if found is not None:
                return await begin_rebuild(
                    self.platform, app, found, user, from_nothing=from_nothing
                )
        raise UserError(
            "invalid_params",
            f"{commit} is no commit of the app" if commit else "nothing was pushed yet",
            f"Push first: git push paas {app.deploy_branch or 'main'}",
        )

    async def output(self, build: Build) -> AsyncIterator[str]:
        """What it printed, and what it prints until it ends: lines without their ends."""
        path = transcript.path(self.platform.settings, build.id)
        offset, rest = 0, ""
        while True:
            # It has succeeded before it has said so: its last lines come after that.
            printing = build.id in self.platform.deploying.printing
            status = (await self.platform.database.run(builds.by_id, build.id)).status
            text, offset = await asyncio.to_thread(transcript.read, path, offset)
            *whole, rest = (rest + text).split("\n")
            for line in whole:
                yield line
            if status is not BuildStatus.PENDING and not printing:
                if rest:
                    yield rest
                return
            await asyncio.sleep(POLL_S)
