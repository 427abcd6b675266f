"""The life of one machine: boot, watch, restart, stop, adopt, delete.

Each verb holds the machine's lock, so that they come one after the other. How a machine is run is
its brand's matter; its end is an event, and what that means is decided here: recorded, and the
machine booted again when its restart policy says so. Every step can be repeated after a crash.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any

from paas.errors import PlatformError
from paas.node import pools
from paas.node.errors import NodeError, StartFailed
from paas.node.machines import endings, log, tally
from paas.node.machines.brand import BrandOf, Ending
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine, changed, now
from paas.node.machines.readiness import Readiness
from paas.node.machines.restarts import Restarts
from paas.node.network import lan

logger = logging.getLogger(__name__)
_SOON_S = 10.0
"""Visitors are not kept waiting for a restart that is further away."""
_KILL_TIMEOUT_S = 15.0
_SURVIVED_S = 2.0
"""A first process that runs so long after a kill for memory was not the one that was killed."""
_NO_BOOT = (StartFailed, pools.PoolUnavailable, PlatformError, OSError)


class Life:
    """One machine. `machine` is its record as it is on the pool; `brand` runs it."""

    def __init__(self, host: Host, machine: Machine, brand_of: BrandOf) -> None:
        self.host = host
        self.machine = machine
        self.brand = brand_of(machine, self)
        self.lock = asyncio.Lock()
        self.unsaved = False
        """Whether the record on disk is older than what is known."""
        self._is_fresh = False
        """Whether it was made just now, and its record says that it is to run."""
        self._log = host.log(machine.uuid)
        self._run: object | None = None
        """Another one each time that it runs."""
        self._ended = asyncio.Event()
        self._ended.set()
        self._cause: str | None = None
        self._tally = tally.Tally(self.count_hits)
        self._reported_early = False
        self._restarts = Restarts(self._spawn, self._boot_again)
        self._readiness = Readiness(
            self._spawn,
            lambda tell: self.brand.probe(self.machine, tell),
            self._answered,
            self._unready,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def runs(self) -> bool:
        return self._run is not None

    def change(self, **changes: Any) -> None:
        """Tell of other values and record them. A full disk loses the record, not the machine.

        In this order: who waits for a machine to answer does not wait for the disk as well, and
        what a node that was killed did not record the next one sees for itself.
        """
        if all(getattr(self.machine, name) == value for name, value in changes.items()):
            return
        old, self.machine = self.machine, changed(self.machine, **changes)
        self.host.changed(old, self.machine)
        self.save()

    def record(self, **changes: Any) -> None:
        """As `change`, but all or nothing: what somebody asked for counts when it is on disk.

        Raises OSError; then nothing has changed.
        """
        new = changed(self.machine, **changes)
        self.host.records.save(new)
        old, self.machine, self.unsaved = self.machine, new, False
        self.host.changed(old, new)

    def save(self) -> None:
        """Write the record; one that can't be written now is `unsaved`, to be tried again."""
        try:
            self.host.records.save(self.machine)
            self.unsaved = False
        except OSError as error:
            self.unsaved = True
            logger.error("machine %s: its record can't be written: %s", self.machine.uuid, error)

    async def make(self, received: Awaitable[None] | None = None) -> None:
        """Clone the dataset, or let it be received, and let the port pass; the record
        (`provisioning`) is there already.
        """
        machine = self.machine
        outcomes = await asyncio.gather(
            received or self._clone(),
            asyncio.to_thread(lan.admit, self.host.settings, self.host.port(machine)),
            asyncio.to_thread(self.brand.prepare, machine),
            return_exceptions=True,
        )
        # Only when all have ended: one that goes on would leave its traces after the clearing up.
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if received is not None:
            self.change(state="receiving")
            return
        self._is_fresh = bool(machine.properties["autoboot"])
        # Who makes it starts it: one record says both.
        self.change(state="stopped", **(self._beginning() if self._is_fresh else {}))

    async def _clone(self) -> None:
        machine, image = self.machine, self.machine.properties["image_uuid"]
        await asyncio.to_thread(self.host.pool.clone, image, machine.uuid, machine.quota_bytes)

    async def start(self) -> None:
        """Boot if it does not run. Raises StartFailed; then the machine is `failed`.

        And NodeError `VmNotReady` for one that was received and not installed.
        """
        if self.machine.state == "receiving":
            text = 'Cannot start vm from state "receiving", must be "stopped".'
            raise NodeError("VmNotReady", text, f"Run: vmadm install {self.machine.uuid}")
        self._restarts.stop()
        if self.runs:
            self.change(wanted="running", failure=None)
        else:
            self._restarts.forget()
            if not self._is_fresh or self.machine.wanted != "running":
                self.change(**self._beginning())
            self._is_fresh = False
            await self._boot()

    def _beginning(self) -> dict[str, Any]:
        return {
            "wanted": "running",
            "failure": None,
            "listened": None,
            "init_restarts": 0,
            "start_timestamp": now(),
        }

    async def stop(self, *, force: bool, timeout_s: float) -> None:
        """SIGTERM to every process, `timeout_s` for all of them to end, SIGKILL.

        Fine if it does not run.
        """
        self.change(wanted="stopped")
        await self._end(force=force, timeout_s=timeout_s)
        if self.machine.state == "running":
            self.change(state="stopped")

    async def reboot(self, *, force: bool, timeout_s: float) -> None:
        await self.stop(force=force, timeout_s=timeout_s)
        await self.start()

    async def delete(self) -> None:
        """Remove everything of the machine but its log. Each step can be repeated."""
        self.change(state="deleting", wanted="stopped")
        await self._end(force=True, timeout_s=0)
        await self.brand.clear()
        port = self.host.port(self.machine)
        await asyncio.gather(
            self.brand.remove(), asyncio.to_thread(lan.expel, self.host.settings, port)
        )
        await asyncio.to_thread(self.host.pool.destroy, self.machine.uuid)
        log.end(self._log)
        self.host.records.delete(self.machine.uuid)
        self.host.changed(self.machine, None)

    async def leave_dataset(self) -> None:
        """Before the dataset becomes an image: nothing holds it or shows it any more."""
        await self._end(force=True, timeout_s=0)
        await self.brand.clear()
        await self.brand.unmount()

    async def fail(self, reason: str) -> None:
        """The machine can't be what its record says: nothing of it runs, and the reason is told."""
        await self.brand.clear()
        self.change(state="failed", failure=reason, pid=None, listening=None, listened=None)

    async def adopt(self) -> None:
        """After a restart of the node: take it back as it runs, or start what should run."""
        machine = self.machine
        if await self.brand.adopt(machine):
            self._hold()
            if machine.state != "running" or machine.pid != self.brand.pid:
                self.change(state="running", pid=self.brand.pid, listening=None)
            self.count_hits()
            self._ask()
            return
        rebooted = not self.brand.was_booted()
        if not rebooted:
            self.count_hits()
        await self.brand.clear()
        if machine.pid is not None or machine.state == "running":
            self._stop_listening(math.inf if rebooted else 0.0)
            if rebooted:
                self._record_end(Ending(None), cause=endings.HOST_RESTARTED)
            else:
                self._record_end(self.brand.ending(), cause=None)
        wanted, stopped = machine.wanted == "running", self.machine.state == "stopped"
        boots = (rebooted and wanted) or (self.host.begins and stopped)
        if (wanted and machine.restarts) or (boots and machine.autoboots):
            if rebooted:  # it boots with its host: that is no restart of its own
                self.change(wanted="running", init_restarts=0, start_timestamp=now())
            self._restarts.later(0.0, counted=not rebooted)
        elif wanted:
            self.change(wanted="stopped")

    def detach(self) -> None:
        """The node ends: let go of the machine, which goes on."""
        self._restarts.stop()
        self._tally.end()
        for task in list(self._tasks):
            task.cancel()
        self.brand.detach()

    def reported(self) -> None:
        if self.machine.port is None:
            return
        if self.runs:
            self._readiness.reported(self.machine.listening)
        else:
            # What is quick says so before its boot has ended, and a static server only once.
            self._reported_early = True

    def limit_hit(self) -> None:
        self._tally.told()

    def cut_itself_off(self) -> None:
        """It is ended by now, and starts anew."""
        logger.warning("machine %s shut its listener down", self.machine.uuid)
        self._cause = endings.LISTENER_SHUT_DOWN

    async def _boot(self) -> None:
        try:
            counted = dict(self.brand.counts())
            self._reported_early = False
            await self.brand.boot(self.machine)
        except pools.PoolUnavailable as error:
            # It may be back soon: the machine stays what it is, and is tried again.
            self.change(failure=error.message)
            raise
        except (StartFailed, OSError, PlatformError) as error:
            await self.brand.clear()
            self.change(state="failed", failure=str(error), pid=None, listened=None)
            log.append(self._log, f"The machine could not start: {error}")
            raise StartFailed(str(error)) from error
        self._hold()
        self.change(
            state="running",
            failure=None,
            pid=self.brand.pid,
            boot_timestamp=now(),
            counted=counted,
            listening=None,
            listening_timestamp=None,
            unreachable={},
        )
        self._ask()
        if self._reported_early:
            self.reported()

    async def _boot_again(self, counted: bool) -> bool:
        """After an end of its own. False when it can't be booted now."""
        async with self.lock:
            if self.machine.wanted != "running" or self.runs:
                return True
            self.change(init_restarts=self.machine.init_restarts + counted)
            log.append(self._log, "State changed from crashed to starting")
            with suppress(*_NO_BOOT):
                await self._boot()
                return True
        return False

    def _hold(self) -> None:
        self._run = object()
        self._cause = None
        self._ended.clear()
        self._restarts.booted()
        self._readiness.end()
        self._spawn(self._watch_end())

    def _ask(self) -> None:
        if self.machine.port is not None and self.machine.listening is None:
            self._readiness.begin()

    def _answered(self, how: str) -> None:
        if self.machine.listening != how:
            moment_ms = time.time_ns() // 1_000_000
            first_ms = self.machine.first_listening_timestamp or moment_ms
            self.change(
                listening=how,
                listening_timestamp=moment_ms,
                first_listening_timestamp=first_ms,
                unreachable={},
            )

    def _unready(self, found: dict[str, Any]) -> None:
        if self.machine.listening is None:
            self.change(unreachable=found)

    async def _watch_end(self) -> None:
        await self.brand.ended()
        delay_s = self._restarts.next_delay_s()
        self._readiness.end()
        self._stop_listening(delay_s)
        self._tally.end()
        self.count_hits()
        ending = self.brand.ending()
        # The end is shielded: a node that stops in the middle leaves it to the next one's start.
        await self.brand.clear()
        self._run = None
        self._record_end(ending, cause=self._cause)
        self._ended.set()
        if self.machine.wanted == "running":
            if self.machine.restarts:
                self._restarts.later(delay_s)
            else:
                self.change(wanted="stopped")

    def _stop_listening(self, delay_s: float) -> None:
        """Tell of it before anything is cleared up, so that visitors wait instead of meeting it."""
        comes_back = self.machine.wanted == "running" and self.machine.restarts
        listened = self.machine.listening if comes_back and delay_s <= _SOON_S else None
        self.change(listening=None, listening_timestamp=None, listened=listened)

    def _record_end(self, ending: Ending, *, cause: str | None) -> None:
        why = endings.reason(ending.code, out_of_memory=ending.out_of_memory, cause=cause)
        wanted, restarts = self.machine.wanted == "running", self.machine.restarts
        for line in endings.lines(ending.code, why, wanted=wanted, restarts=restarts):
            log.append(self._log, line)
        self.change(
            state="stopped" if self.machine.state in ("running", "failed") else self.machine.state,
            failure="The machine ran out of memory." if ending.out_of_memory else None,
            pid=None,
            exit_status=ending.code,
            exit_timestamp=now(),
            exit_reason=why,
        )

    def count_hits(self) -> None:
        """Record what the kernel counted since the last look; the log is told of it too."""
        before = self.machine
        self.change(**tally.changes(before, self.brand.counts(), now()))
        kills = self.machine.oom_kills - before.oom_kills
        hits = self.machine.lwps_hits - before.lwps_hits
        if kills:
            self.brand.note_out_of_memory()
        if kills and self._run is not None:
            self._spawn(self._tell_of_kills(self._run, kills))
        if hits:
            log.append(self._log, endings.lwps_line(hits, self.machine.properties["max_lwps"]))

    async def _tell_of_kills(self, run: object, kills: int) -> None:
        await asyncio.sleep(_SURVIVED_S)
        if self._run is run:
            log.append(self._log, endings.memory_line(kills))

    async def _end(self, *, force: bool, timeout_s: float) -> None:
        self._restarts.stop()
        if not self.runs:
            await self._ended.wait()
            return
        if force or not await self._stopped(timeout_s):
            await self._kill()

    async def _stopped(self, timeout_s: float) -> bool:
        """Whether it ended on SIGTERM in time."""
        log.append(self._log, "Stopping all processes with SIGTERM")
        stopping = asyncio.create_task(self.brand.stop())
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
            return True
        except TimeoutError:
            logger.info("machine %s is killed: it did not end on SIGTERM", self.machine.uuid)
            log.append(self._log, endings.R12)
            log.append(self._log, "Stopping remaining processes with SIGKILL")
            return False
        finally:
            stopping.cancel()

    async def _kill(self) -> None:
        try:
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                await self.brand.kill()
                await self._ended.wait()
        except TimeoutError as error:
            raise PlatformError(
                f"machine {self.machine.uuid} did not end {_KILL_TIMEOUT_S:.0f} s after SIGKILL"
            ) from error

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("machine %s", self.machine.uuid, exc_info=task.exception())
