"""A deploy's turn: builds of an app come one after the other, and who waits is told for whom."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from buildpacks import output
from paas.deploys import outcome
from paas.deploys.attempt import Attempt
from paas.errors import NotFound
from paas.platform.deploying import Turn
from paas.platform.locks import Lock
from paas.platform.platform import Platform
from paas.store import apps, builds

WAITING = "Waiting for what is being done with this app already"
NEXT = "Next in the queue"
SHORT_S = 0.3
"""So long nobody is told of what is not another build: a look at the app's instances, mostly."""


@contextlib.asynccontextmanager
async def in_turn(platform: Platform, attempt: Attempt) -> AsyncIterator[Attempt | None]:
    """The app's lock, and the attempt with the app as it is by then; None when that is gone.

    The transcript is closed at the end. Who is cancelled while it waits leaves a failed build, and
    nothing else: what runs meanwhile is another's.
    """
    task = asyncio.current_task()
    assert task is not None
    turn = platform.deploying.enter(attempt.app.id, attempt.build.id, task)
    try:
        with contextlib.closing(attempt.transcript):
            _supersede(platform, attempt, turn)
            lock = platform.locks[attempt.app.id]
            async with contextlib.AsyncExitStack() as held:
                try:
                    await _wait(platform, attempt, turn, lock)
                    held.callback(lock.release)
                    app = await platform.database.run(apps.by_id, attempt.app.id)
                except asyncio.CancelledError:
                    await outcome.cancelled(platform, attempt, has_begun=False)
                    raise
                yield dataclasses.replace(attempt, app=app) if app else None
    finally:
        platform.deploying.leave(turn)


def _supersede(platform: Platform, attempt: Attempt, turn: Turn) -> None:
    """Where the app is set so, a newer build takes the place of those that have not begun."""
    if not attempt.app.supersede:
        return
    for other in platform.deploying.queue(attempt.app.id):
        if other.waits and other is not turn:
            platform.deploying.cancel(other, f"superseded by build {attempt.build.id[:8]}")


async def _wait(platform: Platform, attempt: Attempt, turn: Turn, lock: Lock) -> None:
    """Returns with the app's lock."""
    telling = asyncio.create_task(_tell(platform, attempt, turn)) if lock.locked() else None
    try:
        await lock.acquire()
    finally:
        if telling is not None:
            telling.cancel()
    turn.waits = False


async def _tell(platform: Platform, attempt: Attempt, turn: Turn) -> None:
    """Says who is before it, and again when it moves up."""
    if len(platform.deploying.queue(attempt.app.id)) == 1:
        await asyncio.sleep(SHORT_S)
    await attempt.transcript.write(output.step(WAITING))
    told: list[str] = []
    with contextlib.suppress(NotFound):  # a build that is gone was its app's, which is gone
        while True:
            turn.moved.clear()
            queue = platform.deploying.queue(attempt.app.id)
            before = [item.build_id for item in queue[: queue.index(turn)]]
            if before and before != told:
                await attempt.transcript.write(output.detail(await _said(platform, before)))
                told = before
            await turn.moved.wait()


async def _said(platform: Platform, before: list[str]) -> str:
    first = await platform.database.run(builds.by_id, before[0])
    name = f"build {first.id[:8]} by {first.user}"
    cancel = f"to cancel that one: paas builds:cancel {first.id[:8]}"
    if len(before) == 1:
        return f"{NEXT}, after {name}; {cancel}"
    return f"{len(before)} builds are before it, first {name}; {cancel}"
