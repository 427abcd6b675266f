"""Brings the logs of apps to their drains.

Of each app that has drains its files are read once, in a thread; each drain has a buffer and a
thread of its own that sends. So a receiver that is slow or dead costs its own lines only: those
that its buffer has no room for are counted, and it is told so. How far each has come is recorded
every few seconds: the next control goes on from there, and may repeat what came after.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from paas import logs
from paas.apps.drains import Drain
from paas.logs.buffer import LINES_MAX
from paas.logs.tail import POLL_S
from paas.platform.outputs import Outputs
from paas.settings import Settings
from paas.store import drains
from paas.store.sql.database import Database

RECORD_S = 3.0
READERS_MAX = 2
BEHIND_PAUSE_S = 0.01
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reading:
    """Of one app's files; what drains it has may change."""

    task: asyncio.Task[None]
    deliveries: list[logs.Delivery] = field(default_factory=list)


class Drains:
    """Those under way; `changed` is set by whoever adds or removes one."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._deliveries: dict[str, logs.Delivery] = {}
        self._readings: dict[str, _Reading] = {}
        self._recorded: dict[str, int] = {}

    def status(self, drain: Drain) -> logs.Status | None:
        """None where it has not begun."""
        found = self._deliveries.get(drain.id)
        return found.status if found else None

    async def run(self, settings: Settings, database: Database, outputs: Outputs) -> None:
        """For ever."""
        pool = ThreadPoolExecutor(READERS_MAX, "drains")
        try:
            while True:
                self.changed.clear()
                wanted = await database.run(drains.all)
                self._deliver(wanted, private=settings.drain_to_private_addresses)
                await self._read(wanted, settings, outputs, pool)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RECORD_S):
                        await self.changed.wait()
                await self._record(database)
        finally:
            await self._end(list(self._readings))
            for delivery in self._deliveries.values():
                delivery.stop()
            self._deliveries.clear()
            pool.shutdown(wait=False)

    def _deliver(self, wanted: list[Drain], *, private: bool) -> None:
        for id in set(self._deliveries) - {drain.id for drain in wanted}:
            self._deliveries.pop(id).stop()
            self._recorded.pop(id, None)
        for drain in wanted:
            if drain.id not in self._deliveries:
                target = logs.Target(drain.url, drain.token, private)
                delivery = logs.Delivery(target, drain.seen_ns)
                self._deliveries[drain.id] = delivery
                delivery.start()

    async def _read(
        self,
        wanted: list[Drain],
        settings: Settings,
        outputs: Outputs,
        pool: ThreadPoolExecutor,
    ) -> None:
        by_app: dict[str, list[logs.Delivery]] = {}
        for drain in wanted:
            by_app.setdefault(drain.app_id, []).append(self._deliveries[drain.id])
        failed = [app_id for app_id, each in self._readings.items() if each.task.done()]
        await self._end([*failed, *(set(self._readings) - set(by_app) - set(failed))])
        for app_id, deliveries in by_app.items():
            if app_id in self._readings:
                self._readings[app_id].deliveries[:] = deliveries
                continue
            mine = list(deliveries)
            work = _follow(settings, app_id, outputs, mine, pool)
            task = asyncio.create_task(work, name=f"read the log of {app_id}")
            self._readings[app_id] = _Reading(task, mine)

    async def _end(self, app_ids: list[str]) -> None:
        if not app_ids:
            return
        tasks = [self._readings.pop(app_id).task for app_id in app_ids]
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, Exception):
                log.error("a log could not be read for its drains", exc_info=found)

    async def _record(self, database: Database) -> None:
        seen = {id: each.status.seen_ns for id, each in self._deliveries.items()}
        news = {id: at for id, at in seen.items() if self._recorded.get(id) != at}
        if news:
            await database.run(drains.see, news)
            self._recorded |= news


async def _follow(
    settings: Settings,
    app_id: str,
    outputs: Outputs,
    deliveries: list[logs.Delivery],
    pool: ThreadPoolExecutor,
) -> None:
    follower = logs.Follower(settings, app_id, logs.Filter())

    def begin() -> None:
        first = follower.start(outputs.of(app_id), LINES_MAX)
        for delivery in deliveries:
            seen_ns = delivery.status.seen_ns
            delivery.buffer.put([line for line in first if line.time_ns > seen_ns])

    def go_on() -> None:
        lines = follower.poll(outputs.of(app_id))
        for delivery in tuple(deliveries) if lines else ():
            delivery.buffer.put(lines)

    try:
        await _to_the_end(pool, begin)
        while True:
            await asyncio.sleep(BEHIND_PAUSE_S if follower.is_behind else POLL_S)
            await _to_the_end(pool, go_on)
    finally:
        follower.close()


async def _to_the_end(pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    """In a thread, which has ended when this returns, also when it is cancelled: it has files."""
    future = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
