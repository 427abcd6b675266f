"""Work that goes on beside the answers."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

FAILED_PAUSE_S = 1.0
log = logging.getLogger(__name__)


class Background:
    """The tasks that nobody waits for: what they raise is logged, and they end with control."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keys: set[str] = set()

    @property
    def under_way(self) -> frozenset[str]:
        """The keys of what was started by `start_once` and goes on."""
        return frozenset(self._keys)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.adopt(asyncio.create_task(work, name=name))

    def start_once(
        self, key: str, work: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> None:
        """Start it, unless what was started with this key goes on."""
        if key not in self._keys:
            self._keys.add(key)
            self.start(self._keyed(key, work), name)

    def keep_up(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Start it, and again when it fails: control without it would only seem to work."""
        self.start(_to_success(work, name), name)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """See to a task that nobody waits for (any more)."""
        self.hold(task)
        task.add_done_callback(_log_failure)

    def hold(self, task: asyncio.Task[Any]) -> None:
        """A task that somebody waits for, and that ends with control as well."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Cancel whatever is under way, and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keyed(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        finally:
            self._keys.discard(key)


async def _to_success(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    while True:
        try:
            return await work()
        except Exception:
            log.exception("%s failed; it is started again", name)
        await asyncio.sleep(FAILED_PAUSE_S)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("%s failed", task.get_name(), exc_info=task.exception())
