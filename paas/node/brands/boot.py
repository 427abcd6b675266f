"""Booting a zone: its folder, mounts, cgroup, descriptors, then conmon, network, first process.

`prepare` needs no dataset yet and can run beside the clone; `boot` reads like the order of things.
"""

import asyncio
import json
import os
from collections.abc import Callable

from paas.node import pools
from paas.node.brands import facts
from paas.node.errors import NodeError, StartFailed
from paas.node.machines import filesystems
from paas.node.machines.host import Host
from paas.node.machines.machine import Machine
from paas.node.network import lan
from paas.node.zone import cgroups, conmon, init, streams
from paas.node.zone.bundle import mounts, oci
from paas.node.zone.conmon import Holders
from paas.node.zone.fast_path import Watch


def prepare(host: Host, machine: Machine) -> None:
    """The run folder, its files, the log and the cgroup. Repeatable; blocks."""
    paths = conmon.paths_of(host.settings, machine.uuid)
    paths.bundle.mkdir(parents=True, exist_ok=True)
    paths.folder.chmod(0o711)
    paths.bundle.chmod(0o700)
    facts.write_files(host, machine)
    facts.make_log(host, machine.uuid)
    cgroups.make(facts.cgroup(host, machine), facts.limits(machine))


async def boot(host: Host, machine: Machine, listen: Callable[[], Watch | None]) -> Holders:
    """Start the machine's first process. Raises StartFailed, OSError; then nothing is undone here.

    `listen` gives the fast path, once there is a folder for it.
    """
    paths = conmon.paths_of(host.settings, machine.uuid)
    await asyncio.to_thread(_check_parts, host, machine)
    await asyncio.to_thread(_prepare_mounts, host, machine)
    fast_path = listen()
    descriptors = fast_path.for_zone(paths.folder) if fast_path else []
    try:
        zone = facts.zone(host, machine, fast_path)
        configuration = oci.configuration(zone)
        _write_private(paths.bundle / "config.json", json.dumps(configuration))
        (paths.bundle / "oom").unlink(missing_ok=True)
        holders = await conmon.create(paths, facts.cgroup(host, machine), descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    streams.give_of_process(holders.init, *zone.user_on_host())
    await asyncio.to_thread(lan.attach, host.settings, host.port(machine), holders.init)
    await conmon.start(paths, holders)
    if facts.has_init(machine):
        await init.wait_command(paths, holders, machine.command())
    return holders


def _check_parts(host: Host, machine: Machine) -> None:
    """Raises StartFailed that names a part which somebody took away behind the node's back.

    PoolUnavailable, when that is the whole pool.
    """
    pools.ensure(host.settings, host.pool)
    if not host.pool.exists(machine.uuid):
        raise StartFailed(f"its dataset zones/{machine.uuid} is missing: delete the machine")
    sources = facts.sources(host, machine)
    for what, folder in (
        ("its root", sources.root),
        ("the stack", sources.stack),
        *((f"the runtime {name}", folder) for name, folder in sources.runtimes.items()),
    ):
        if folder is not None and not folder.is_dir():
            raise StartFailed(f"{what} that it mounts is missing: {folder}")
    try:
        filesystems.check(host, machine.properties)
    except NodeError as error:
        raise StartFailed(error.message) from error


def _prepare_mounts(host: Host, machine: Machine) -> None:
    prepare(host, machine)
    folder = conmon.paths_of(host.settings, machine.uuid).folder
    mounts.mount(folder, facts.sources(host, machine), facts.first_id(machine))


def _write_private(path: "os.PathLike[str]", text: str) -> None:
    """The configuration has the app's secrets in its environment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
