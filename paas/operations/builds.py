"""Builds that nobody pushes, and what any build prints."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gitserver import GitServer, trees
from paas.apps import branches
from paas.apps import builds as builds_rules
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus, Deploy
from paas.builder import transcript
from paas.deploys.archive import Archive, begin_archive
from paas.deploys.rebuild import begin_rebuild
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import builds, steps

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

    async def deploys(self, app: App) -> list[Deploy]:
        """What runs, and what waits in the order of its coming."""
        found = await self.platform.database.run(_pending, app.id)
        deploys = []
        for place, turn in enumerate(self.platform.deploying.queue(app.id)):
            if turn.build_id in found:
                build, step = found[turn.build_id]
                deploys.append(Deploy(build, place, turn.waits, None if turn.waits else step))
        return deploys

    async def cancel(self, app: App, build: Build, user: str) -> Build:
        """Returns when it has ended: nothing of it is left. Raises UserError for one that has
        ended already, or has gone live before it could be stopped."""
        builds_rules.check_cancel(build)
        turn = self.platform.deploying.turn(build.id)
        if turn is not None:
            self.platform.deploying.cancel(turn, f"cancelled by {user}")
            await asyncio.wait([turn.task])
        ended = await self.platform.database.run(builds.by_id, build.id)
        if ended.status is BuildStatus.PENDING:
            raise UserError(
                "conflict", f"Build {build.id[:8]} begins or ends just now.", "Try again."
            )
        if ended.status is BuildStatus.SUCCEEDED:
            builds_rules.check_cancel(ended)
        return ended

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


def _pending(connection: Connection, app_id: str) -> dict[str, tuple[Build, str | None]]:
    """By id the builds that have not ended, and the step that each is at."""
    found = {}
    for build in builds.pending(connection, app_id):
        at = [step for step in steps.for_subject(connection, build.id) if not step.finished_at]
        found[build.id] = (build, at[-1].name if at else None)
    return found
