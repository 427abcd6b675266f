"""One change of an app at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from paas.apps.apps import App
from paas.platform.platform import Platform

T = TypeVar("T")


async def alone(platform: Platform, app: App, work: Coroutine[Any, Any, T]) -> T:
    """Hold the app's lock, and finish what was begun even if the caller goes."""

    async def hold() -> T:
        try:
            async with platform.locks[app.id]:
                return await work
        finally:
            work.close()

    task = asyncio.create_task(hold(), name=f"a change of {app.name}")
    platform.background.hold(task)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        platform.background.adopt(task)
        raise
