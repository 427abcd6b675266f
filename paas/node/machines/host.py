"""What every machine of this node shares, and the facts of one machine that follow from it."""

import grp
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from paas.node import words
from paas.node.errors import ImageError
from paas.node.images.store import Images
from paas.node.machines import view
from paas.node.machines.machine import Machine
from paas.node.machines.records import Records
from paas.node.network import addresses
from paas.node.network.firewall import Port
from paas.node.network.ranges import Address
from paas.node.pools.interface import Pool
from paas.node.zone import cgroups, conmon, init, logs
from paas.node.zone.bundle import files, mounts, oci
from paas.node.zone.bundle.environment import PRELOAD, as_list, compose, processors
from paas.node.zone.bundle.mounts import Sources
from paas.node.zone.cgroups import Limits
from paas.node.zone.limit_hits import Watch
from paas.settings import CONTROL_USER, Settings
from router.wire import dial

_OPEN_FILES_MAX = 65536
_SHM_MIB_MAX = 64
_MIB = 1024 * 1024
_NAMES = {"app": 1000, "root": 0}


@dataclass(frozen=True)
class Host:
    """The node's own: where things are, whom to tell. `changed` is told of every change.

    `network6` is the machines' IPv6 network, None where they have none.
    """

    settings: Settings
    pool: Pool
    records: Records
    resolvers: Sequence[Address]
    search: str
    changed: Callable[[Machine | None, Machine | None], None]
    limit_hits: Watch = field(default_factory=Watch)
    network6: IPv6Network | None = None
    reread: Callable[[Settings], Settings] = lambda settings: settings

    def now(self) -> Settings:
        """The settings as they are now, for those that count without a restart."""
        return self.reread(self.settings)

    @property
    def preload(self) -> Path:
        return self.settings.run / "preload.cjs"

    @property
    def ca_bundle(self) -> Path:
        return self.settings.run / "ca-certificates.crt"


def paths(host: Host, uuid: str) -> conmon.Paths:
    return conmon.Paths(
        uuid=uuid,
        folder=host.settings.machines_run / uuid,
        runtime_state=host.settings.run / "runc",
        log=host.settings.logs / "machines" / f"{uuid}.log",
    )


def cgroup(host: Host, machine: Machine) -> str:
    return cgroups.name(host.settings.installation, machine.kind, machine.uuid)


def limits(machine: Machine) -> Limits:
    properties = machine.properties
    return Limits(
        memory_mib=properties["max_physical_memory"],
        swap_mib=properties["max_swap"],
        cpu_shares=properties["cpu_shares"],
        cpu_cap=properties.get("cpu_cap") or 0,
        lwps=properties["max_lwps"],
        io_weight=properties["zfs_io_priority"],
    )


def port(host: Host, machine: Machine) -> Port:
    return Port(
        interface=f"{host.settings.veth_prefix}{machine.slot:x}",
        mac=addresses.mac(machine.slot, host.settings.key),
        address=addresses.address(host.settings.network, machine.slot),
        address6=addresses.address6(host.network6, machine.slot) if host.network6 else None,
        kind=machine.kind,
    )


def sources(host: Host, machine: Machine) -> Sources:
    stack, runtime = machine.metadata.get(words.STACK), machine.metadata.get(words.RUNTIME)
    return Sources(
        root=host.pool.path(machine.uuid) / "root",
        stack=host.pool.path(str(stack)) / "root" / "usr" if stack else None,
        runtime=host.pool.path(str(runtime)) / "root" / "opt" / "node" if runtime else None,
    )


def quota_bytes(machine: Machine) -> int | None:
    quota: int = machine.properties["quota"]
    return quota * 1024**3 or None


def ids(user: str) -> tuple[int, int]:
    """`app`, `root` or numbers, with or without a group: the zone's uid and gid."""
    name, _, group = user.partition(":")
    numbers = [_NAMES[part] if part in _NAMES else int(part) for part in (name, group or name)]
    return numbers[0], numbers[1]


def zone(host: Host, machine: Machine, descriptors: str | None) -> oci.Zone:
    """The zone's configuration in plain facts. `descriptors`: inodes of the fast path."""
    properties, metadata = machine.properties, machine.metadata
    sparse = words.STACK in metadata
    uid, gid = ids(str(metadata.get(words.USER, "app" if sparse else "root")))
    return oci.Zone(
        uuid=machine.uuid,
        hostname=properties["hostname"],
        root=mounts.place(paths(host, machine.uuid).folder, "root"),
        command=command(machine),
        environment=as_list(environment(host, machine, uid, descriptors)),
        working_directory=str(metadata.get(words.FOLDER, "/")),
        uid=uid,
        gid=gid,
        first_id=machine.first_id,
        cgroup=f"{cgroup(host, machine)}/zone",
        binds=_binds(host, machine),
        tmpfs_bytes=max(properties["tmpfs"], 1) * _MIB,
        shm_bytes=min(properties["max_physical_memory"], _SHM_MIB_MAX) * _MIB,
        open_files=_open_files(),
        capabilities=() if sparse else oci.DOCKER_CAPABILITIES,
        lingers=dial.can_refuse(),
    )


def has_init(machine: Machine) -> bool:
    """Instances and builds; a whole userland brings its own."""
    return words.STACK in machine.metadata and init.program() is not None


def has_preload(machine: Machine) -> bool:
    """Where Node.js is the platform's: instances and builds."""
    return words.RUNTIME in machine.metadata or machine.port is not None


def command(machine: Machine) -> Sequence[str]:
    words = machine.command()
    return init.wrapped(words) if has_init(machine) else words


def environment(
    host: Host, machine: Machine, uid: int, descriptors: str | None
) -> Mapping[str, str]:
    memory_mib, cap = machine.properties["max_physical_memory"], machine.properties.get("cpu_cap")
    present = len(os.sched_getaffinity(0))
    return compose(
        machine.environment(),
        uid=uid,
        memory_mib=memory_mib,
        kind=machine.kind,
        processors=processors(memory_mib, cap or 0, present) if has_preload(machine) else None,
        port=machine.port,
        nodejs=_nodejs(host, machine),
        descriptors=descriptors,
    )


def _nodejs(host: Host, machine: Machine) -> str:
    """The version that the machine's runtime has; empty where nothing says so."""
    runtime = machine.metadata.get(words.RUNTIME)
    if runtime is None:
        return ""
    with suppress(ImageError):
        return str(Images(host.pool).get(str(runtime))["tags"].get(words.VERSION, ""))
    return ""


def write_files(host: Host, machine: Machine) -> None:
    """resolv.conf, hosts and hostname of the zone, in its run folder."""
    own = machine.properties["resolvers"]
    files.write(
        paths(host, machine.uuid).folder,
        hostname=machine.properties["hostname"],
        address=addresses.address(host.settings.network, machine.slot),
        resolvers=own or [str(address) for address in host.resolvers],
        search="" if own else host.search,
    )


def make_log(host: Host, uuid: str) -> None:
    """The log as control may read it: 0640, its group's. conmon appends to what is there.

    When it is full conmon makes a new one, 0600: `logs.Watch` gives it to control.
    """
    log = paths(host, uuid).log
    logs.begin(log)
    own_by_control(log, 0o640)


def own_by_control(path: Path, mode: int) -> None:
    """Give a file to root and control's group, where that exists."""
    with suppress(KeyError):
        os.chown(path, 0, grp.getgrnam(CONTROL_USER).gr_gid)
    path.chmod(mode)


def vm_object(host: Host, machine: Machine) -> dict[str, Any]:
    settings = host.settings
    return view.vm_object(machine, settings.network, host.network6, settings.key)


def _binds(host: Host, machine: Machine) -> list[oci.Bind]:
    folder = paths(host, machine.uuid).folder
    binds = []
    if words.STACK in machine.metadata:
        binds.append(oci.Bind(mounts.place(folder, "usr"), "/usr", executable=True))
    if words.RUNTIME in machine.metadata:
        binds.append(oci.Bind(mounts.place(folder, "nodejs"), "/opt/node", executable=True))
    for name in ("resolv.conf", "hosts", "hostname"):
        binds.append(oci.Bind(folder / name, f"/etc/{name}"))
    binds.append(oci.Bind(host.ca_bundle, files.CA_BUNDLE))
    if has_preload(machine):
        binds.append(oci.Bind(host.preload, PRELOAD))
    program = init.program() if has_init(machine) else None
    if program is not None:
        binds.append(oci.Bind(program, init.PLACE, executable=True))
    return binds


def _open_files() -> int:
    """Without CAP_SYS_RESOURCE (the host is a container) no limit can be above the host's own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES_MAX)
