"""A deploy that nobody pushed: a commit that the repository has is built and released again."""

import asyncio
import contextlib
import dataclasses

from paas.apps.apps import App
from paas.apps.builds import Build
from paas.deploys.attempt import Attempt, begin
from paas.deploys.deploy import deploy
from paas.platform.platform import Platform
from paas.store import apps


async def begin_rebuild(
    platform: Platform, app: App, commit: str, user: str, *, from_nothing: bool = False
) -> Build:
    """Start it; it goes on by itself."""
    attempt = await begin(platform, app, commit, user, _keep_only, from_nothing=from_nothing)
    task = asyncio.create_task(_rebuild(platform, attempt), name=f"build {app.name}")
    platform.deploying.add(app.id, task)
    platform.background.adopt(task)
    return attempt.build


async def _rebuild(platform: Platform, attempt: Attempt) -> None:
    app_id = attempt.app.id
    with contextlib.closing(attempt.transcript):
        async with platform.locks[app_id]:
            app = await platform.database.run(apps.by_id, app_id)
            if app is not None:
                await deploy(platform, dataclasses.replace(attempt, app=app))


async def _keep_only(_text: str) -> None:
    """Nobody watches; the transcript's file is read by who does."""
