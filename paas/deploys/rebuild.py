"""A deploy that nobody pushed: it goes on by itself, and its output is kept for who looks."""

import asyncio

from paas.apps.apps import App
from paas.apps.builds import Build
from paas.deploys.attempt import Attempt, begin
from paas.deploys.deploy import Prepare, deploy
from paas.deploys.turns import in_turn
from paas.platform.platform import Platform


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
    turn = platform.deploying.enter(attempt.app.id, attempt.build.id, task)
    # One that is cancelled before its first step leaves the queue as well.
    task.add_done_callback(lambda _: platform.deploying.leave(turn))
    platform.background.adopt(task)


async def keep_only(_text: str) -> None:
    """Nobody watches; the transcript's file is read by who does."""


async def _in_turn(platform: Platform, attempt: Attempt, prepare: Prepare | None) -> None:
    async with in_turn(platform, attempt) as ready:
        if ready is not None:
            await deploy(platform, ready, prepare)
