"""A deploy that nobody pushed: it goes on by itself, and its output is kept for who looks."""

import asyncio
import contextlib
import dataclasses

from paas.apps.apps import App
from paas.apps.builds import Build
from paas.deploys.attempt import Attempt, begin
from paas.deploys.deploy import Prepare, deploy
from paas.platform.platform import Platform
from paas.store import apps


async def begin_rebuild(
    platform: Platform, app: App, commit: str, user: str, *, from_nothing: bool = False
) -> Build:
    """A commit that the repository has is built and released again."""
    attempt = await begin(platform, app, commit, user, keep_only, from_nothing=from_nothing)
    start(platform, attempt)
    return attempt.build


def start(platform: Platform, attempt: Attempt, prepare: Prepare | None = None) -> None:
    """In the app's turn; `prepare` is the first that is done then."""
    work = _in_turn(platform, attempt, prepare)
    task = asyncio.create_task(work, name=f"build {attempt.app.name}")
    platform.deploying.add(attempt.app.id, task)
    platform.background.adopt(task)


async def keep_only(_text: str) -> None:
    """Nobody watches; the transcript's file is read by who does."""


async def _in_turn(platform: Platform, attempt: Attempt, prepare: Prepare | None) -> None:
    app_id = attempt.app.id
    with contextlib.closing(attempt.transcript):
        async with platform.locks[app_id]:
            app = await platform.database.run(apps.by_id, app_id)
            if app is not None:
                await deploy(platform, dataclasses.replace(attempt, app=app), prepare)
