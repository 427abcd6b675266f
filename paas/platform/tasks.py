"""Waiting for several things at once, and for what must come to its end."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; the first failure cancels the rest and is raised."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Cancelling comes too late for this: the caller goes on as if it had not been tried.

    A caller that would go on for ever asks `is_cancelled`.
    """
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


def is_cancelled() -> bool:
    """Whether the running task was told to end, although `to_the_end` went on."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
