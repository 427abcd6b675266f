"""The brand `lx`: a machine is a zone, held by conmon and runc. What `machines.brand` asks for."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paas.node.brands import boot, facts
from paas.node.errors import NodeError
from paas.node.machines.brand import Brand, Ending, Held, Observer, Tell
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine
from paas.node.network import lan
from paas.node.protocol import ExitStatus
from paas.node.zone import (
    cgroups,
    conmon,
    limit_hits,
    listeners,
    loopback,
    streams,
    terminate,
)
from paas.node.zone.bundle import files, mounts, oci
from paas.node.zone.bundle.environment import PRELOAD_SOURCE
from paas.node.zone.exec import end_left, execute
from paas.node.zone.fast_path import Watch
from paas.node.zone.probe import Place, Probe
from paas.system.processes import wait_exit

log = logging.getLogger(__name__)
_MONITOR_TIMEOUT_S = 5.0


class Zones:
    """The zones of a node: makes each machine's brand, and has what all of them share."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._limit_hits = limit_hits.Watch()

    def brand(self, machine: Machine, observer: Observer) -> Brand:
        return Lx(self._host, machine, observer, self._limit_hits)

    def close(self) -> None:
        self._limit_hits.close()


def install_shared_files(host: Host) -> None:
    """What every zone mounts: the preload module, and the host's certificates with its own ones."""
    preload = facts.preload(host.settings)
    temporary = preload.with_suffix(".new")
    shutil.copyfile(PRELOAD_SOURCE, temporary)
    temporary.chmod(0o644)
    temporary.replace(preload)
    extra = os.environ.get("NODE_EXTRA_CA_CERTS")
    sources = [Path(files.CA_BUNDLE), *([Path(extra)] if extra else [])]
    files.write_bundle(facts.ca_bundle(host.settings), sources)


class Lx:
    """One machine's zone. The fast path stays over all of its boots."""

    def __init__(
        self, host: Host, machine: Machine, observer: Observer, hits: limit_hits.Watch
    ) -> None:
        self._host, self._observer, self._hits = host, observer, hits
        self._paths = conmon.paths_of(host.settings, machine.uuid)
        self._cgroup = facts.cgroup(host, machine)
        self._port = host.port(machine)
        self._zone: conmon.Holders | None = None
        self._fast_path: Watch | None = None

    @property
    def pid(self) -> int | None:
        return self._zone.init if self._zone else None

    def prepare(self, machine: Machine) -> None:
        boot.prepare(self._host, machine)

    async def boot(self, machine: Machine) -> None:
        if not listeners.are_there(self._paths.folder):
            self._leave_fast_path()
        self._hold(await boot.boot(self._host, machine, lambda: self._listen(machine)))

    async def adopt(self, machine: Machine) -> bool:
        holders = await asyncio.to_thread(conmon.find, self._paths)
        members = await asyncio.to_thread(cgroups.processes, self._cgroup)
        await asyncio.to_thread(end_left, self._paths.folder, members)
        if holders is None or conmon.is_created_only(self._paths):
            return False
        if machine.port is not None:
            fast_path = Watch.adopt(self._paths.folder, holders.conmon)
            if fast_path is None:
                return False
            self._take(fast_path)
        terminate.resume(holders)
        self._hold(holders)
        return True

    def detach(self) -> None:
        self._hits.end(self._cgroup)
        if self._fast_path is not None:
            self._fast_path.close()

    async def exec(
        self,
        machine: Machine,
        command: Sequence[str],
        environment: Mapping[str, str],
        user: str,
        working_directory: str,
        descriptors: Sequence[int],
        held: Held,
    ) -> ExitStatus:
        zone = facts.zone(self._host, machine, None)
        uid, gid = facts.ids(user)
        variables = facts.further_environment(self._host, machine, uid, environment)
        size = termios.tcgetwinsize(descriptors[0]) if held.terminal else None
        process = oci.process(zone, command, variables, working_directory, uid, gid, terminal=size)
        streams.give(descriptors, zone.first_id + uid, zone.first_id + gid)
        return await execute(self._paths, process, descriptors, held.hang_up_s)

    async def connect(self, port: int) -> socket.socket:
        if self._zone is None:
            raise NodeError("VmNotRunning", f"machine {self._paths.uuid} does not run")
        return await loopback.connect(self._zone.init, port, str(self._port.address))

    def apply(self, machine: Machine) -> None:
        cgroups.make(facts.cgroup(self._host, machine), facts.limits(machine))
        if machine.properties["maintain_resolvers"]:
            facts.write_resolvers(self._host, machine)

    def probe(self, machine: Machine, tell: Tell) -> Probe:
        pid, port = self.pid, machine.port
        assert pid is not None and port is not None
        address = str(self._port.address)
        socket = self._paths.folder / "web.sock"
        health = None if machine.first_listening_timestamp else machine.health
        return Probe(Place(pid, port, address, socket, health), tell)

    def signal(self, number: int) -> None:
        if self._zone is not None:
            conmon.signal_init(self._zone, number)

    async def stop(self) -> None:
        if self._zone is not None:
            await terminate.terminate(self._cgroup, self._zone)

    async def kill(self) -> None:
        """A monitor that hangs would keep the end from being seen: it is killed too."""
        zone = self._zone
        if zone is None:
            return
        await asyncio.to_thread(cgroups.kill, self._cgroup)
        await wait_exit(zone.init)
        try:
            async with asyncio.timeout(_MONITOR_TIMEOUT_S):
                await wait_exit(zone.conmon)
        except TimeoutError:
            log.warning("machine %s: its monitor hangs, and is killed", self._paths.uuid)
            with suppress(ProcessLookupError):
                os.kill(zone.conmon, signal.SIGKILL)

    async def ended(self) -> None:
        if self._zone is not None:
            await wait_exit(self._zone.conmon)
        self._hits.end(self._cgroup)

    def ending(self) -> Ending:
        return Ending(conmon.exit_code(self._paths), conmon.ran_out_of_memory(self._paths))

    def was_booted(self) -> bool:
        return self._paths.conmon_pid.exists()

    def counts(self) -> Mapping[str, int]:
        return asdict(limit_hits.counts(self._cgroup))

    def note_out_of_memory(self) -> None:
        conmon.note_out_of_memory(self._paths)

    def memory_usage_bytes(self) -> int:
        return cgroups.memory_usage_bytes(self._cgroup)

    async def clear(self) -> None:
        monitor = conmon.orphan_conmon(self._paths)
        if monitor is not None:
            with suppress(ProcessLookupError):
                os.kill(monitor, signal.SIGKILL)
        await asyncio.to_thread(cgroups.kill, self._cgroup)
        if self._zone is not None:
            await wait_exit(self._zone.init)
        await asyncio.gather(
            conmon.remove(self._paths),
            asyncio.to_thread(lan.detach, self._host.settings, self._port),
        )
        self._zone = None

    async def unmount(self) -> None:
        await asyncio.to_thread(mounts.unmount, self._paths.folder)

    async def remove(self) -> None:
        self._leave_fast_path()
        await asyncio.to_thread(self._remove_traces)

    def _remove_traces(self) -> None:
        mounts.unmount(self._paths.folder)
        cgroups.remove(self._cgroup)
        shutil.rmtree(self._paths.folder, ignore_errors=True)

    def _listen(self, machine: Machine) -> Watch | None:
        """What the machine had before, so that its socket stays the same, or a new one."""
        if self._fast_path is None and machine.port is not None:
            self._take(Watch(listeners.make(self._paths.folder)))
        return self._fast_path

    def _take(self, fast_path: Watch) -> None:
        self._fast_path = fast_path
        fast_path.on_report = self._reported
        fast_path.on_hang_up = self._hung_up

    def _hold(self, zone: conmon.Holders) -> None:
        self._zone = zone
        self._hits.begin(self._cgroup, self._observer.limit_hit)

    def _reported(self, _report: dict[str, Any]) -> None:
        # Measures come only from a server that listens: they make up for a report that was lost.
        self._observer.reported()

    def _hung_up(self) -> None:
        self._leave_fast_path()
        self._observer.cut_itself_off()
        cgroups.kill(self._cgroup)

    def _leave_fast_path(self) -> None:
        if self._fast_path is not None:
            self._fast_path.close()
            self._fast_path = None
