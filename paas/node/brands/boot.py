"""Booting a zone: its folder, mounts, cgroup, descriptors, then conmon, network, first process.

`prepare` needs no dataset yet and can run beside the clone; `boot` reads like the order of things.
"""

import asyncio
import json
import os
from dataclasses import dataclass

from paas.node import pools
from paas.node.errors import StartFailed
from paas.node.machines import host as hosts
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine
from paas.node.network import lan
from paas.node.zone import cgroups, conmon, init, listeners, streams
from paas.node.zone.bundle import mounts, oci
from paas.node.zone.fast_path import Watch


@dataclass(frozen=True)
class Booted:
    holders: conmon.Holders
    fast_path: Watch | None


def prepare(host: Host, machine: Machine) -> None:
    """The run folder, its files, the log and the cgroup. Repeatable; blocks."""
    paths = hosts.paths(host, machine.uuid)
    paths.bundle.mkdir(parents=True, exist_ok=True)
    paths.folder.chmod(0o711)
    paths.bundle.chmod(0o700)
    hosts.write_files(host, machine)
    hosts.make_log(host, machine.uuid)
    cgroups.make(hosts.cgroup(host, machine), hosts.limits(machine))


async def boot(host: Host, machine: Machine, fast_path: Watch | None) -> Booted:
    """Start the machine's first process. Raises StartFailed, OSError; then nothing is undone here.

    `fast_path` is what the machine had before, so that its socket stays the same.
    """
    paths = hosts.paths(host, machine.uuid)
    await asyncio.to_thread(_check_parts, host, machine)
    await asyncio.to_thread(_prepare_mounts, host, machine)
    if machine.port is not None and fast_path is None:
        fast_path = Watch(listeners.make(paths.folder))
    descriptors = fast_path.for_zone(paths.folder) if fast_path else []
    try:
        zone = hosts.zone(host, machine, fast_path.inodes() if fast_path else None)
        configuration = oci.configuration(zone)
        _write_private(paths.bundle / "config.json", json.dumps(configuration))
        (paths.bundle / "oom").unlink(missing_ok=True)
        holders = await conmon.create(paths, hosts.cgroup(host, machine), descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    streams.give_of_process(holders.init, *zone.user_on_host())
    port = hosts.port(host, machine)
    await asyncio.to_thread(lan.attach, host.settings, port, holders.init)
    await conmon.start(paths)
    if hosts.has_init(machine):
        await init.wait_command(paths, holders, machine.command())
    return Booted(holders, fast_path)


def _check_parts(host: Host, machine: Machine) -> None:
    """Raises StartFailed that names a part which somebody took away behind the node's back.

    PoolUnavailable, when that is the whole pool.
    """
    pools.ensure(host.settings, host.pool)
    if not host.pool.exists(machine.uuid):
        raise StartFailed(f"its dataset zones/{machine.uuid} is missing: delete the machine")
    sources = hosts.sources(host, machine)
    for what, folder in (
        ("its root", sources.root),
        ("the stack", sources.stack),
        ("the runtime", sources.runtime),
    ):
        if folder is not None and not folder.is_dir():
            raise StartFailed(f"{what} that it mounts is missing: {folder}")


def _prepare_mounts(host: Host, machine: Machine) -> None:
    prepare(host, machine)
    mounts.mount(
        hosts.paths(host, machine.uuid).folder, hosts.sources(host, machine), machine.first_id
    )


def _write_private(path: "os.PathLike[str]", text: str) -> None:
    """The configuration has the app's secrets in its environment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
