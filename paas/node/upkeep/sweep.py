"""What a killed node may have left behind: traces on this host without a machine's record."""

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress

from paas.node.machines.host import Host
from paas.node.machines.machine import Machine
from paas.node.network import lan
from paas.node.zone import cgroups, conmon
from paas.node.zone.bundle import mounts
from paas.node.zone.classes import KINDS
from paas.node.zone.exec import end_runtime
from paas.system.processes import wait_exit

log = logging.getLogger(__name__)


async def sweep(host: Host, machines: Sequence[Machine]) -> list[str]:
    """Remove folders, mounts, cgroups, processes and interfaces of nobody; what it did."""
    keep = {machine.uuid for machine in machines}
    done = await _end_strays(host, keep)
    for uuid in sorted(_traces(host) - keep):
        await _remove(host, uuid)
        done.append(f"removed what was left of machine {uuid}")
    interfaces = (host.port(machine).interface for machine in machines)
    done += [f"removed interface {name}" for name in lan.sweep(host.settings, interfaces)]
    return done


async def _end_strays(host: Host, keep: set[str]) -> list[str]:
    """conmon and runc on the way to zones that nobody waits for: an earlier node started them."""
    done: list[str] = []
    held = {
        holders.conmon
        for uuid in keep
        if (holders := conmon.find(conmon.paths_of(host.settings, uuid)))
    }
    # Again until there are none: one of them may have started another meanwhile.
    while strays := _strays(host, held):
        await asyncio.gather(*(_end(pid) for pid in strays))
        done += [
            f"ended process {pid}, which was making or ending machine {uuid}"
            for pid, uuid in strays.items()
        ]
    return done


def _strays(host: Host, held: set[int]) -> dict[int, str]:
    found = conmon.strays(host.settings.run / "runc")
    return {pid: uuid for pid, uuid in found.items() if pid not in held}


async def _end(pid: int) -> None:
    if conmon.runs_a_command(pid):
        return await end_runtime(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    await wait_exit(pid)


def _traces(host: Host) -> set[str]:
    found = _names(host.settings.machines_run) | _names(host.settings.run / "runc")
    for kind in KINDS:
        found |= cgroups.names(host.settings.installation, kind)
    return {name for name in found if len(name) == 36}


def _names(folder: "os.PathLike[str]") -> set[str]:
    with suppress(OSError):
        return {entry.name for entry in os.scandir(folder)}
    return set()


async def _remove(host: Host, uuid: str) -> None:
    paths = conmon.paths_of(host.settings, uuid)
    leftover = conmon.orphan_conmon(paths)
    if leftover is not None:
        with suppress(ProcessLookupError):
            os.kill(leftover, signal.SIGKILL)
    for kind in KINDS:
        cgroups.kill(cgroups.name(host.settings.installation, kind, uuid))
    await conmon.remove(paths)
    mounts.unmount(paths.folder)
    for kind in KINDS:
        try:
            cgroups.remove(cgroups.name(host.settings.installation, kind, uuid))
        except OSError as error:
            log.error("%s", error)
    shutil.rmtree(paths.folder, ignore_errors=True)
