"""When a machine whose process ended is started again: with growing delays, for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

_DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_STEADY_S = 60.0
"""Who ran so long begins with the shortest delay again."""


class Restarts:
    """One machine's. `again` boots it (told whether that counts as a restart of its own) and says
    whether the matter is settled.
    """

    def __init__(self, spawn: Spawn, again: Callable[[bool], Awaitable[bool]]) -> None:
        self._spawn, self._again = spawn, again
        self._task: asyncio.Task[None] | None = None
        self._attempt = 0
        self._booted_s = 0.0

    def forget(self) -> None:
        """It is started because somebody asks: what was before does not count."""
        self._attempt = 0

    def booted(self) -> None:
        self._booted_s = time.monotonic()

    def next_delay_s(self) -> float:
        if time.monotonic() - self._booted_s >= _STEADY_S:
            self._attempt = 0
        delay_s = _DELAYS_S[min(self._attempt, len(_DELAYS_S) - 1)]
        self._attempt += 1
        return delay_s

    def later(self, delay_s: float, *, counted: bool = True) -> None:
        """Boot it after the delay, and again after longer ones as long as it can't be booted."""
        self.stop()
        self._task = self._spawn(self._try(delay_s, counted))

    def stop(self) -> None:
        # Never the task that runs now, and never in the middle of a boot: it holds the lock then.
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = None

    async def _try(self, delay_s: float, counted: bool) -> None:
        await asyncio.sleep(delay_s)
        while not await self._again(counted):
            counted = True
            await asyncio.sleep(self.next_delay_s())
