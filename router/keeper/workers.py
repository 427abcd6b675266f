"""The workers: started, told, watched, replaced."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

from router.keeper import worker_process
from router.keeper.credentials import Credentials
from router.keeper.orphans import Orphans
from router.keeper.state import State
from router.keeper.worker_process import Inheritance, WorkerProcess
from router.memory import counters
from router.wire import frames

CONFIRM_LIMIT_S = 20.0
"""Who does not obey for so long hangs, and is killed."""
END_LIMIT_S = 5.0
"""How long a process may take to be gone after SIGKILL."""
ORPHANS_TAKE_REQUESTS_S = 2.0
"""A worker whose keeper is gone takes requests on kept connections a second longer."""
START_LIMIT_S = 60.0
"""Who does not serve by then hangs, and is killed: another one takes its place."""
RESTART_PAUSE_S = 1.0
"""Between two starts in a row of a worker that can't be started or dies before it serves."""


class Workers:
    """A generation of `size`, and what is left of those before it."""

    def __init__(
        self,
        size: int,
        inheritance: Inheritance,
        state: State,
        credentials: Credentials,
        orphans: Orphans,
    ) -> None:
        self._size = size
        self._inheritance = inheritance
        self._state = state
        self._credentials = credentials
        self._orphans = orphans
        self._generation = 0
        self._ending = False
        self._renewing = self._renew_again = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[int] = set()
        self._undrained: dict[str, set[int]] = {}
        self.changed = asyncio.Condition()
        self.running: list[WorkerProcess] = []
        self.wake: Callable[[str], None] = lambda app: None

    async def start(self) -> None:
        """Start the first generation; returns when all of it serves."""
        self._orphans.adopt()
        self._generation = 1
        for _ in range(self._size):
            await self._add(self._generation)
        await self._until(lambda: self._serving(self._generation) >= self._size)

    def renew(self) -> None:
        """A new generation on the same sockets; the old one leaves when the new one serves.

        Asked for again meanwhile, there is one more after this one: nobody leaves for workers that
        do not serve yet.
        """
        self._renew_again = True
        if not self._renewing:
            self._renewing = True
            self._do(self._renew_all())

    async def apply(self) -> int:
        """Tell all workers the table in force; returns its version when every one obeys it.

        One that still starts is not waited for: it is told the newest table before it serves.
        Raises TimeoutError when a worker neither obeys nor dies.
        """
        version = self._state.table.version
        self._tell(self._state.change(self.rows()))
        await self.confirmed(version)
        await self._orphans.gone(ORPHANS_TAKE_REQUESTS_S)
        if version == self._state.table.version:
            self._state.release_slots()
        return version

    async def confirmed(self, version: int) -> None:
        """Every worker that serves obeys this table or a newer one. One that hangs is killed."""
        await self._all(lambda worker: worker.version >= version)

    async def share(self, message: dict[str, Any], version: int) -> None:
        """Tell all workers what is no table; returns when every one of them has it."""
        kind = message["type"]
        self._tell(message)
        await self._all(lambda worker: worker.known.get(kind, 0) >= version)
        await self._orphans.gone(ORPHANS_TAKE_REQUESTS_S)

    async def _all(self, done: Callable[[WorkerProcess], bool]) -> None:
        def all_done() -> bool:
            return all(done(worker) for worker in self._present())

        try:
            async with asyncio.timeout(CONFIRM_LIMIT_S):
                await self._until(all_done)
        except TimeoutError:
            for worker in self._present():
                if not done(worker):
                    print(f"paas-router: worker {worker.process.pid} hangs", file=sys.stderr)
                    worker.kill()
            async with asyncio.timeout(END_LIMIT_S):
                await self._until(all_done)

    def note(self, machine: str, up: bool) -> None:
        self._tell({"type": "machine", "machine": machine, "up": up})

    async def drained(self, instance: str) -> None:
        """No worker of any generation has a request in flight to the instance."""
        if instance not in self._undrained:
            self._undrained[instance] = {worker.process.pid for worker in self._present()}
            self._tell({"type": "drain", "instance": instance})
        await self._until(lambda: not self._undrained.get(instance))
        await self._orphans.gone()
        self._undrained.pop(instance, None)

    async def end(self, limit_s: float) -> None:
        self._ending = True
        for worker in self.running:
            worker.say({"type": "stop", "limit_s": limit_s})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s + 5):
                await self._until(lambda: not self.running)
        for worker in self.running:
            worker.kill()

    def summary(self) -> list[dict[str, Any]]:
        return [
            {
                "pid": worker.process.pid,
                "row": worker.row,
                "generation": worker.generation,
                "version": worker.version,
                "present": worker.present,
                "leaving": worker.leaving,
            }
            for worker in self.running
        ]

    async def _renew_all(self) -> None:
        try:
            while self._renew_again and not self._ending:
                self._renew_again = False
                await self._renew()
        finally:
            self._renewing = False

    async def _renew(self) -> None:
        self._generation += 1
        generation = self._generation
        for _ in range(self._size):
            await self._replace(generation)
        await self._until(lambda: self._ending or self._serving(generation) >= self._size)
        for worker in self.running:
            if worker.generation < generation and not worker.leaving:
                worker.leaving = True
                worker.say({"type": "stop", "limit_s": 300.0})

    async def _add(self, generation: int) -> None:
        row = self._free_row()
        self._taken.add(row)
        try:
            worker, reader = await worker_process.start(row, generation, self._inheritance)
            self.running.append(worker)
        finally:
            # Not before the worker itself holds the row: two workers in one row count double.
            self._taken.discard(row)
        self._do(self._watch(worker, reader))
        self._do(self._see_serving(worker))
        self._orphans.remember([worker.process.pid for worker in self.running])
        self._tell({"type": "rows", "rows": self.rows()})

    async def _see_serving(self, worker: WorkerProcess) -> None:
        """One that hangs before it serves would keep its generation from ever taking over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_LIMIT_S):
                return await self._until(lambda: worker.version >= 0 or worker not in self.running)
        print(f"paas-router: worker {worker.process.pid} does not start", file=sys.stderr)
        worker.kill()

    async def _replace(self, generation: int) -> None:
        """A worker more of the generation, as soon as the machine can start one."""
        while not self._ending and generation == self._generation:
            try:
                return await self._add(generation)
            except OSError as error:
                print(f"paas-router: no worker can be started: {error}", file=sys.stderr)
                await asyncio.sleep(RESTART_PAUSE_S)

    async def _watch(self, worker: WorkerProcess, reader: asyncio.StreamReader) -> None:
        """Listen to a worker until it ends; then clear its row, and replace it if need be."""
        with contextlib.suppress(frames.FrameError, ConnectionError):
            while (message := await frames.read(reader)) is not None:
                await self._hear(worker, message)
        # Who can't be told tables any more may not serve.
        if not worker.leaving and not self._ending:
            worker.kill()
        code = await worker.process.wait()
        worker.writer.close()
        self.running.remove(worker)
        state = self._state
        self._inheritance.counters.retire(worker.row, state.instances.values(), state.apps.values())
        for pids in self._undrained.values():
            pids.discard(worker.process.pid)
        self._tell({"type": "rows", "rows": self.rows()})
        await self._changed()
        if not self._ending and worker.generation == self._generation:
            print(f"paas-router: worker {worker.process.pid} ended ({code})", file=sys.stderr)
            if worker.version < 0:
                await asyncio.sleep(RESTART_PAUSE_S)
            await self._replace(self._generation)

    async def _hear(self, worker: WorkerProcess, message: dict[str, Any]) -> None:
        match message:
            case {"type": "ready"}:
                self._welcome(worker)
            case {"type": "applied", "version": int(version)}:
                worker.version = version
            case {"type": "certificates" | "challenges" as kind, "version": int(version)}:
                worker.known[kind] = version
            case {"type": "drained", "instance": str(instance)}:
                self._undrained.get(instance, set()).discard(worker.process.pid)
            case {"type": "health", "instance": str(instance), "healthy": bool(healthy)}:
                self._state.judge(instance, healthy)
                self._tell(message)
            case {"type": "wake", "app": str(app)}:
                self.wake(app)
        await self._changed()

    def _welcome(self, worker: WorkerProcess) -> None:
        """All that is in force, and from now on whatever changes."""
        if self._ending:
            return worker.say({"type": "stop", "limit_s": 0.0})
        for message in self._credentials.messages():
            worker.say(message)
        worker.say(self._state.whole(self.rows()))
        worker.present = True

    def _present(self) -> list[WorkerProcess]:
        return [worker for worker in self.running if worker.present]

    def _tell(self, message: dict[str, Any]) -> None:
        for worker in self._present():
            worker.say(message)

    def _serving(self, generation: int) -> int:
        return sum(each.generation == generation and each.version >= 0 for each in self.running)

    def rows(self) -> list[int]:
        return sorted(worker.row for worker in self.running)

    def _free_row(self) -> int:
        taken = self._taken | {worker.row for worker in self.running}
        for row in range(1, counters.ROWS):
            if row not in taken:
                return row
        raise OSError("too many workers of earlier generations still finish their requests")

    async def _changed(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(condition)

    def _do(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
