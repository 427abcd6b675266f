"""The workers: started, told, watched, replaced. A Hand is one worker as the keeper sees it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from router.keeper.credentials import Credentials
from router.keeper.listeners import Listeners
from router.keeper.orphans import Orphans
from router.keeper.state import State
from router.memory import bells, counters
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


class Hand:
    """`present` once the worker has said that it can be told things: until then it serves nobody,
    and nobody waits for it."""

    def __init__(
        self,
        row: int,
        generation: int,
        process: asyncio.subprocess.Process,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.row = row
        self.generation = generation
        self.process = process
        self.writer = writer
        self.present = False
        self.version = -1
        self.known: dict[str, int] = {}
        """The version of each thing shared beside the table that the worker has."""
        self.leaving = False

    def say(self, message: dict[str, Any]) -> None:
        self.writer.write(frames.encode(message))


class Crew:
    def __init__(
        self,
        state: State,
        shared: counters.Counters,
        rung: bells.Bells,
        listeners: Listeners,
        credentials: Credentials,
        worker_options: list[str],
        size: int,
        orphans: Orphans,
    ) -> None:
        self._state = state
        self._shared = shared
        self._bells = rung
        self._listeners = listeners
        self._credentials = credentials
        self._worker_options = worker_options
        self._size = size
        self._orphans = orphans
        self._generation = 0
        self._ending = False
        self._renewing = self._renew_again = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[int] = set()
        self._undrained: dict[str, set[int]] = {}
        self.changed = asyncio.Condition()
        self.hands: list[Hand] = []
        self.wake: Callable[[str], None] = lambda app: None

    async def start(self) -> None:
        """Start the first generation; returns when all of it serves."""
        self._orphans.adopt()
        self._generation = 1
        for _ in range(self._size):
            await self._hire(self._generation)
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
        await self._all(lambda hand: hand.version >= version)

    async def share(self, message: dict[str, Any], version: int) -> None:
        """Tell all workers what is no table; returns when every one of them has it."""
        kind = message["type"]
        self._tell(message)
        await self._all(lambda hand: hand.known.get(kind, 0) >= version)
        await self._orphans.gone(ORPHANS_TAKE_REQUESTS_S)

    async def _all(self, done: Callable[[Hand], bool]) -> None:
        def all_done() -> bool:
            return all(done(hand) for hand in self._present())

        try:
            async with asyncio.timeout(CONFIRM_LIMIT_S):
                await self._until(all_done)
        except TimeoutError:
            for hand in self._present():
                if not done(hand):
                    print(f"paas-router: worker {hand.process.pid} hangs", file=sys.stderr)
                    _kill(hand)
            async with asyncio.timeout(END_LIMIT_S):
                await self._until(all_done)

    def note(self, machine: str, up: bool) -> None:
        self._tell({"type": "machine", "machine": machine, "up": up})

    async def drained(self, instance: str) -> None:
        """No worker of any generation has a request in flight to the instance."""
        if instance not in self._undrained:
            self._undrained[instance] = {hand.process.pid for hand in self._present()}
            self._tell({"type": "drain", "instance": instance})
        await self._until(lambda: not self._undrained.get(instance))
        await self._orphans.gone()
        self._undrained.pop(instance, None)

    async def end(self, limit_s: float) -> None:
        self._ending = True
        for hand in self.hands:
            hand.say({"type": "stop", "limit_s": limit_s})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s + 5):
                await self._until(lambda: not self.hands)
        for hand in self.hands:
            _kill(hand)

    def summary(self) -> list[dict[str, Any]]:
        return [
            {
                "pid": hand.process.pid,
                "row": hand.row,
                "generation": hand.generation,
                "version": hand.version,
                "present": hand.present,
                "leaving": hand.leaving,
            }
            for hand in self.hands
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
        for hand in self.hands:
            if hand.generation < generation and not hand.leaving:
                hand.leaving = True
                hand.say({"type": "stop", "limit_s": 300.0})

    async def _hire(self, generation: int) -> None:
        row = self._free_row()
        self._taken.add(row)
        try:
            hand, reader = await self._start(row, generation)
            self.hands.append(hand)
        finally:
            # Not before the hand itself holds the row: two workers in one row count double.
            self._taken.discard(row)
        self._do(self._watch(hand, reader))
        self._do(self._see_serving(hand))
        self._orphans.remember([hand.process.pid for hand in self.hands])
        self._tell({"type": "rows", "rows": self.rows()})

    async def _see_serving(self, hand: Hand) -> None:
        """One that hangs before it serves would keep its generation from ever taking over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_LIMIT_S):
                return await self._until(lambda: hand.version >= 0 or hand not in self.hands)
        print(f"paas-router: worker {hand.process.pid} does not start", file=sys.stderr)
        _kill(hand)

    async def _start(self, row: int, generation: int) -> tuple[Hand, asyncio.StreamReader]:
        ours, theirs = socket.socketpair()
        try:
            process = await self._spawn(row, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        return Hand(row, generation, process, writer), reader

    async def _replace(self, generation: int) -> None:
        """A worker more of the generation, as soon as the machine can start one."""
        while not self._ending and generation == self._generation:
            try:
                return await self._hire(generation)
            except OSError as error:
                print(f"paas-router: no worker can be started: {error}", file=sys.stderr)
                await asyncio.sleep(RESTART_PAUSE_S)

    async def _spawn(self, row: int, channel: socket.socket) -> asyncio.subprocess.Process:
        plain = [listener.fileno() for listener in self._listeners.plain]
        secure = [listener.fileno() for listener in self._listeners.secure]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "router.worker", "--row", str(row)),
            *("--listen", ",".join(map(str, plain)), "--listen-tls", ",".join(map(str, secure))),
            *("--channel", str(channel.fileno())),
            *("--counters", str(self._shared.descriptor)),
            *("--bells", ",".join(map(str, self._bells.descriptors)), *self._worker_options),
            pass_fds=[
                *(*plain, *secure, channel.fileno()),
                *(self._shared.descriptor, *self._bells.descriptors),
            ],
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )

    async def _watch(self, hand: Hand, reader: asyncio.StreamReader) -> None:
        """Listen to a worker until it ends; then clear its row, and replace it if need be."""
        with contextlib.suppress(frames.FrameError, ConnectionError):
            while (message := await frames.read(reader)) is not None:
                await self._hear(hand, message)
        # Who can't be told tables any more may not serve.
        if not hand.leaving and not self._ending:
            _kill(hand)
        code = await hand.process.wait()
        hand.writer.close()
        self.hands.remove(hand)
        self._shared.retire(hand.row, self._state.instances.values(), self._state.apps.values())
        for pids in self._undrained.values():
            pids.discard(hand.process.pid)
        self._tell({"type": "rows", "rows": self.rows()})
        await self._changed()
        if not self._ending and hand.generation == self._generation:
            print(f"paas-router: worker {hand.process.pid} ended ({code})", file=sys.stderr)
            if hand.version < 0:
                await asyncio.sleep(RESTART_PAUSE_S)
            await self._replace(self._generation)

    async def _hear(self, hand: Hand, message: dict[str, Any]) -> None:
        match message:
            case {"type": "ready"}:
                self._welcome(hand)
            case {"type": "applied", "version": int(version)}:
                hand.version = version
            case {"type": "certificates" | "challenges" as kind, "version": int(version)}:
                hand.known[kind] = version
            case {"type": "drained", "instance": str(instance)}:
                self._undrained.get(instance, set()).discard(hand.process.pid)
            case {"type": "health", "instance": str(instance), "healthy": bool(healthy)}:
                self._state.judge(instance, healthy)
                self._tell(message)
            case {"type": "wake", "app": str(app)}:
                self.wake(app)
        await self._changed()

    def _welcome(self, hand: Hand) -> None:
        """All that is in force, and from now on whatever changes."""
        if self._ending:
            return hand.say({"type": "stop", "limit_s": 0.0})
        for message in self._credentials.messages():
            hand.say(message)
        hand.say(self._state.whole(self.rows()))
        hand.present = True

    def _present(self) -> list[Hand]:
        return [hand for hand in self.hands if hand.present]

    def _tell(self, message: dict[str, Any]) -> None:
        for hand in self._present():
            hand.say(message)

    def _serving(self, generation: int) -> int:
        return sum(hand.generation == generation and hand.version >= 0 for hand in self.hands)

    def rows(self) -> list[int]:
        return sorted(hand.row for hand in self.hands)

    def _free_row(self) -> int:
        taken = self._taken | {hand.row for hand in self.hands}
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


def _kill(hand: Hand) -> None:
    with contextlib.suppress(ProcessLookupError):
        hand.process.kill()


def _environment() -> dict[str, str]:
    """Workers run the code that this file is part of, wherever they are started.

    glibc's malloc must not give the memory of each large read back to the kernel and ask for it
    again with the next (mallopt(3)): that cost more than copying the data.
    """
    here = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return os.environ | {
        "PYTHONPATH": f"{here}{os.pathsep}{path}" if path else here,
        "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
        "MALLOC_TOP_PAD_": str(1024 * 1024),
    }
