"""Who may act on an app: one change at a time, in the order of their coming."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal
from weakref import WeakValueDictionary


class Lock(asyncio.Lock):
    """Held for work that people wait for, or for housekeeping, which gives way to such work."""

    _yielding: asyncio.Task[Any] | None = None

    async def acquire(self) -> Literal[True]:
        if self._yielding is not None:
            self._yielding.cancel()
        return await super().acquire()

    async def giving_way(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Do this under the lock, which is free; False when it was cut off for somebody."""
        async with self:
            task = self._yielding = asyncio.create_task(work)
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait([task])
                raise
            finally:
                self._yielding = None
            return not task.cancelled() and await task


class Locks:
    """A lock for each app, which is there as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def __getitem__(self, app_id: str) -> Lock:
        lock = self._locks.get(app_id)
        if lock is None:
            lock = self._locks[app_id] = Lock()
        return lock
