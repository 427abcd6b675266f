"""The life of one machine: boot, watch, restart, stop, adopt, delete.

Each verb holds the machine's lock, so that they come one after the other. The end of a zone is an
event (its conmon's pidfd); what it means is decided here: recorded, and the machine booted again
when its restart policy says so, with growing delays. Every step can be repeated after a crash.
"""

import asyncio
import contextlib
import logging
import math
import os
import shutil
import signal
import time
from dataclasses import asdict
from typing import Any

from paas.errors import PlatformError
from paas.node import pools
from paas.node.brands.boot import Booted, boot, prepare
from paas.node.errors import StartFailed
from paas.node.machines import endings, tally
from paas.node.machines import host as hosts
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine, changed, now
from paas.node.network import lan
from paas.node.zone import cgroups, conmon, listeners, logs, terminate
from paas.node.zone import exec as execs
from paas.node.zone.bundle import mounts
from paas.node.zone.fast_path import Watch
from paas.node.zone.limit_hits import counts
from paas.node.zone.readiness import Place, Readiness

log = logging.getLogger(__name__)
_DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_STEADY_S = 60.0
_SOON_S = 10.0
"""Visitors are not kept waiting for a restart that is further away."""
_ASK_AGAIN_S = 10.0
"""A machine that is reached at its address is asked over its socket no more often."""
_KILL_TIMEOUT_S = 15.0
_MONITOR_TIMEOUT_S = 5.0
_NO_BOOT = (StartFailed, pools.PoolUnavailable, PlatformError, OSError)
_SURVIVED_S = 2.0
"""A first process that runs so long after a kill for memory was not the one that was killed."""


class Life:
    """One machine. `machine` is its record as it is on the pool; `zone` its processes, if any."""

    def __init__(self, host: Host, machine: Machine) -> None:
        self.host = host
        self.machine = machine
        self.lock = asyncio.Lock()
        self.unsaved = False
        """Whether the record on disk is older than what is known."""
        self.paths = hosts.paths(host, machine.uuid)
        self.cgroup = hosts.cgroup(host, machine)
        self.zone: conmon.Holders | None = None
        self._fast_path: Watch | None = None
        self._readiness: Readiness | None = None
        self._asked_s = 0.0
        self._tally = tally.Tally(host.limit_hits, self.cgroup, self._count_hits)
        self._cause: str | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._restart: asyncio.Task[None] | None = None
        self._attempt = 0
        self._booted_s = 0.0

    def change(self, **changes: Any) -> None:
        """Record other values and tell of them. A full disk loses the record, not the machine."""
        if all(getattr(self.machine, name) == value for name, value in changes.items()):
            return
        old, self.machine = self.machine, changed(self.machine, **changes)
        self.save()
        self.host.changed(old, self.machine)

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
            log.error("machine %s: its record can't be written: %s", self.machine.uuid, error)

    async def make(self) -> None:
        """Clone the dataset and let the port pass; the record (`provisioning`) is there already."""
        machine = self.machine
        outcomes = await asyncio.gather(
            asyncio.to_thread(
                self.host.pool.clone,
                machine.properties["image_uuid"],
                machine.uuid,
                hosts.quota_bytes(machine),
            ),
            asyncio.to_thread(lan.admit, self.host.settings, hosts.port(self.host, machine)),
            asyncio.to_thread(prepare, self.host, machine),
            return_exceptions=True,
        )
        # Only when all have ended: one that goes on would leave its traces after the clearing up.
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self.change(state="stopped")

    async def start(self) -> None:
        """Boot if it does not run. Raises StartFailed; then the machine is `failed`."""
        self._stop_restarting()
        if self.zone is not None:
            self.change(wanted="running", failure=None)
        else:
            self._attempt = 0
            self.change(
                wanted="running",
                failure=None,
                listened=None,
                init_restarts=0,
                start_timestamp=now(),
            )
            await self._boot()

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
        await self.forget_zone()
        port = hosts.port(self.host, self.machine)
        await asyncio.gather(
            asyncio.to_thread(self._remove_traces),
            asyncio.to_thread(lan.expel, self.host.settings, port),
        )
        await asyncio.to_thread(self.host.pool.destroy, self.machine.uuid)
        logs.end(self.paths.log)
        self.host.records.delete(self.machine.uuid)
        self.host.changed(self.machine, None)

    async def leave_dataset(self) -> None:
        """Before the dataset becomes an image: nothing holds it or shows it any more."""
        await self._end(force=True, timeout_s=0)
        await self.forget_zone()
        await asyncio.to_thread(mounts.unmount, self.paths.folder)

    async def fail(self, reason: str) -> None:
        """The machine can't be what its record says: nothing of it runs, and the reason is told."""
        await self.forget_zone()
        self.change(state="failed", failure=reason, pid=None, listening=None, listened=None)

    async def adopt(self) -> None:
        """After a restart of the node: take the zone back, or start what should run."""
        machine = self.machine
        holders = await asyncio.to_thread(conmon.find, self.paths)
        members = await asyncio.to_thread(cgroups.processes, self.cgroup)
        await asyncio.to_thread(execs.clear, self.paths.folder, members)
        if holders is not None and not conmon.is_created_only(self.paths):
            fast_path = Watch.adopt(self.paths.folder, holders.conmon) if machine.port else None
            if fast_path is not None or machine.port is None:
                terminate.resume(holders)
                self._hold(Booted(holders, fast_path), adopted=True)
                if machine.state != "running" or machine.pid != holders.init:
                    self.change(state="running", pid=holders.init, listening=None)
                self._count_hits()
                self._watch_port()
                return
        rebooted = not self.paths.conmon_pid.exists()
        if not rebooted:
            self._count_hits()
        await self.forget_zone()
        if machine.pid is not None or machine.state == "running":
            self._stop_listening(math.inf if rebooted else 0.0)
            self._record_end(
                None if rebooted else conmon.exit_code(self.paths),
                out_of_memory=not rebooted and conmon.ran_out_of_memory(self.paths),
                cause=endings.HOST_RESTARTED if rebooted else None,
            )
        if machine.wanted == "running" and (machine.restarts or (rebooted and machine.autoboots)):
            if rebooted:  # it boots with its host: that is no restart of its own
                self.change(init_restarts=0, start_timestamp=now())
            self._restart_later(0.0, counted=not rebooted)
        elif machine.wanted == "running":
            self.change(wanted="stopped")

    def detach(self) -> None:
        """The node ends: let go of the zone, which goes on."""
        self._stop_restarting()
        self._tally.end()
        for task in list(self._tasks):
            task.cancel()
        if self._fast_path is not None:
            self._fast_path.close()

    async def forget_zone(self) -> None:
        """Kill and clear away what is left of a zone that no longer counts. Repeatable."""
        leftover = conmon.orphan_conmon(self.paths)
        if leftover is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leftover, signal.SIGKILL)
        await asyncio.to_thread(cgroups.kill, self.cgroup)
        port = hosts.port(self.host, self.machine)
        await asyncio.gather(
            conmon.remove(self.paths), asyncio.to_thread(lan.detach, self.host.settings, port)
        )

    async def _boot(self) -> None:
        if self._fast_path is not None and not listeners.are_there(self.paths.folder):
            self._leave_fast_path()
        try:
            counted = asdict(counts(self.cgroup))
            booted = await boot(self.host, self.machine, self._fast_path)
        except pools.PoolUnavailable as error:
            # It may be back soon: the machine stays what it is, and is tried again.
            self.change(failure=error.message)
            raise
        except (StartFailed, OSError, PlatformError) as error:
            await self.forget_zone()
            self.change(state="failed", failure=str(error), pid=None, listened=None)
            self._append_to_log(f"The machine could not start: {error}")
            raise StartFailed(str(error)) from error
        self._hold(booted)
        self.change(
            state="running",
            failure=None,
            pid=booted.holders.init,
            boot_timestamp=now(),
            counted=counted,
            listening=None,
            listening_timestamp=None,
            unreachable={},
        )
        self._watch_port()

    def _hold(self, booted: Booted, *, adopted: bool = False) -> None:
        self.zone, self._fast_path = booted.holders, booted.fast_path
        self._booted_s = time.monotonic()
        self._ended.clear()
        self._cause = self._readiness = None
        self._tally.begin()
        if booted.fast_path is not None:
            booted.fast_path.on_report = self._reported
            booted.fast_path.on_hang_up = self._listener_shut_down
        self._spawn(self._watch_end(booted.holders))

    def _watch_port(self) -> None:
        if self.machine.listening is None and self._readiness is None:
            self._begin_asking()

    def _begin_asking(self) -> None:
        """Until the zone answers: only then it is said to listen."""
        zone, port = self.zone, self.machine.port
        if zone is None or port is None:
            return
        address = str(hosts.port(self.host, self.machine).address)
        place = Place(zone.init, port, address, self.paths.folder / "web.sock")
        self._readiness = Readiness(place, lambda found: self._unready(zone, found))
        self._spawn(self._wait_ready(zone, self._readiness))

    async def _wait_ready(self, zone: conmon.Holders, readiness: Readiness) -> None:
        how = await readiness.wait()
        if self._readiness is readiness:
            self._readiness = None
            self._asked_s = time.monotonic()
        if how is not None and self.zone is zone and self.machine.listening != how:
            moment_ms = time.time_ns() // 1_000_000
            self.change(listening=how, listening_timestamp=moment_ms, unreachable={})

    def _unready(self, zone: conmon.Holders, found: dict[str, Any]) -> None:
        if self.zone is zone and self.machine.listening is None:
            self.change(unreachable=found)

    def _reported(self, report: dict[str, Any]) -> None:
        # Measures come only from a server that listens: they make up for a report that was lost.
        if report["type"] not in ("listening", "measures") or self.machine.listening == "unix":
            return
        if self._readiness is None:
            if self.machine.listening and time.monotonic() - self._asked_s < _ASK_AGAIN_S:
                return
            self._begin_asking()
        if self._readiness is not None:
            self._readiness.reported.set()

    def _listener_shut_down(self) -> None:
        """The zone broke its own socket: nothing can reach it any more, so it starts anew."""
        log.warning("machine %s shut its listener down", self.machine.uuid)
        self._cause = endings.LISTENER_SHUT_DOWN
        self._leave_fast_path()
        cgroups.kill(self.cgroup)

    def _leave_fast_path(self) -> None:
        if self._fast_path is not None:
            self._fast_path.close()
            self._fast_path = None

    async def _watch_end(self, zone: conmon.Holders) -> None:
        await conmon.wait_exit(zone.conmon)
        delay_s = self._next_delay_s()
        self._stop_listening(delay_s)
        code = conmon.exit_code(self.paths)
        self._tally.end()
        self._count_hits()
        out_of_memory = conmon.ran_out_of_memory(self.paths)
        # The end is shielded: a node that stops in the middle leaves it to the next one's start.
        await asyncio.to_thread(cgroups.kill, self.cgroup)
        await conmon.wait_exit(zone.init)
        await self.forget_zone()
        self.zone = None
        self._record_end(code, out_of_memory=out_of_memory, cause=self._cause)
        self._ended.set()
        if self.machine.wanted == "running":
            if self.machine.restarts:
                self._restart_later(delay_s)
            else:
                self.change(wanted="stopped")

    def _stop_listening(self, delay_s: float) -> None:
        """Tell of it before anything is cleared up, so that visitors wait instead of meeting it."""
        comes_back = self.machine.wanted == "running" and self.machine.restarts
        listened = self.machine.listening if comes_back and delay_s <= _SOON_S else None
        self.change(listening=None, listening_timestamp=None, listened=listened)

    def _record_end(self, code: int | None, *, out_of_memory: bool, cause: str | None) -> None:
        why = endings.reason(code, out_of_memory=out_of_memory, cause=cause)
        wanted, restarts = self.machine.wanted == "running", self.machine.restarts
        for line in endings.lines(code, why, wanted=wanted, restarts=restarts):
            self._append_to_log(line)
        self.change(
            state="stopped" if self.machine.state in ("running", "failed") else self.machine.state,
            failure="The machine ran out of memory." if out_of_memory else None,
            pid=None,
            exit_status=code,
            exit_timestamp=now(),
            exit_reason=why,
        )

    def _count_hits(self) -> None:
        """Record what the kernel counted since the last look; the log is told of it too."""
        before = self.machine
        self.change(**tally.changes(before, counts(self.cgroup), now()))
        kills = self.machine.oom_kills - before.oom_kills
        hits = self.machine.lwps_hits - before.lwps_hits
        if kills:
            conmon.note_out_of_memory(self.paths)
        if kills and self.zone is not None:
            self._spawn(self._tell_of_kills(self.zone, kills))
        if hits:
            self._append_to_log(endings.lwps_line(hits, self.machine.properties["max_lwps"]))

    async def _tell_of_kills(self, zone: conmon.Holders, kills: int) -> None:
        await asyncio.sleep(_SURVIVED_S)
        if self.zone is zone:
            self._append_to_log(endings.memory_line(kills))

    def _next_delay_s(self) -> float:
        if time.monotonic() - self._booted_s >= _STEADY_S:
            self._attempt = 0
        delay_s = _DELAYS_S[min(self._attempt, len(_DELAYS_S) - 1)]
        self._attempt += 1
        return delay_s

    def _restart_later(self, delay_s: float, *, counted: bool = True) -> None:
        self._stop_restarting()
        self._restart = self._spawn(self._restart_after(delay_s, counted))

    async def _restart_after(self, delay_s: float, counted: bool) -> None:
        while True:
            await asyncio.sleep(delay_s)
            async with self.lock:
                if self.machine.wanted != "running" or self.zone is not None:
                    return
                self.change(init_restarts=self.machine.init_restarts + counted)
                self._append_to_log("State changed from crashed to starting")
                with contextlib.suppress(*_NO_BOOT):
                    await self._boot()
                    return
            delay_s, counted = self._next_delay_s(), True

    def _stop_restarting(self) -> None:
        # Never the task that runs now, and never in the middle of a boot: it holds the lock then.
        if self._restart is not None and self._restart is not asyncio.current_task():
            self._restart.cancel()
        self._restart = None

    async def _end(self, *, force: bool, timeout_s: float) -> None:
        self._stop_restarting()
        if self.zone is None:
            await self._ended.wait()
            return
        if not force:
            self._append_to_log("Stopping all processes with SIGTERM")
            again = asyncio.create_task(terminate.terminate(self.cgroup, self.zone))
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ended.wait()
                return
            except TimeoutError:
                log.info("machine %s is killed: it did not end on SIGTERM", self.machine.uuid)
                self._append_to_log(endings.R12)
                self._append_to_log("Stopping remaining processes with SIGKILL")
            finally:
                again.cancel()
        zone = self.zone
        await asyncio.to_thread(cgroups.kill, self.cgroup)
        try:
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                await conmon.wait_exit(zone.init)
                await self._see_end(zone)
        except TimeoutError as error:
            raise PlatformError(
                f"machine {self.machine.uuid} did not end {_KILL_TIMEOUT_S:.0f} s after SIGKILL"
            ) from error

    async def _see_end(self, zone: conmon.Holders) -> None:
        """The zone has ended; a monitor that hangs would keep it from being seen."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MONITOR_TIMEOUT_S):
                await self._ended.wait()
                return
        log.warning("machine %s: its monitor hangs, and is killed", self.machine.uuid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(zone.conmon, signal.SIGKILL)
        await self._ended.wait()

    def _remove_traces(self) -> None:
        mounts.unmount(self.paths.folder)
        cgroups.remove(self.cgroup)
        self._leave_fast_path()
        shutil.rmtree(self.paths.folder, ignore_errors=True)

    def _append_to_log(self, text: str) -> None:
        # conmon's own format (k8s-file): time, stream, F(ull line), text. The stream tells it from
        # what the app printed, which conmon writes as stdout and stderr only.
        line = " ".join(text.split())[:2000]
        with contextlib.suppress(OSError), self.paths.log.open("a") as file:
            file.write(f"{now()} heroku F {line}\n")

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("machine %s", self.machine.uuid, exc_info=task.exception())
