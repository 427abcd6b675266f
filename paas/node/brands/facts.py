"""A machine of brand `lx` in its zone's words: what follows from its record for runc."""

import os
import resource
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from paas.node import words
from paas.node.errors import ImageError
from paas.node.images.store import Images
from paas.node.machines.host import Host, own_by_control
from paas.node.machines.machine import Machine
from paas.node.network import addresses
from paas.node.zone import cgroups, init, logs
from paas.node.zone.bundle import files, mounts, oci
from paas.node.zone.bundle.environment import PRELOAD, as_list, compose, extended, processors
from paas.node.zone.bundle.idmap import ID_COUNT
from paas.node.zone.bundle.mounts import Sources
from paas.node.zone.cgroups import Limits
from paas.node.zone.conmon import paths_of
from paas.node.zone.fast_path import Watch
from paas.settings import Settings
from router.wire import dial

_FIRST_ID = 0x10000000
_OPEN_FILES_MAX = 65536
_SHM_MIB_MAX = 64
_MIB = 1024 * 1024
_NAMES = {"app": 1000, "root": 0}


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


def sources(host: Host, machine: Machine) -> Sources:
    stack = machine.metadata.get(words.STACK)
    return Sources(
        root=host.pool.path(machine.uuid) / "root",
        stack=host.pool.path(str(stack)) / "root" / "usr" if stack else None,
        runtimes={
            name: host.pool.path(uuid) / "root" / "opt" / name
            for name, uuid in _runtimes(machine).items()
        },
        filesystems=dict(_filesystem(item) for item in machine.properties["filesystems"]),
    )


def _filesystem(item: Mapping[str, Any]) -> tuple[str, tuple[Path, int]]:
    return mounts.filesystem(Path(item["source"]), read_only="ro" in item.get("options", []))


def _runtimes(machine: Machine) -> dict[str, str]:
    """Name → image of those that the machine has."""
    found = {name: machine.metadata.get(key) for name, key in words.RUNTIMES.items()}
    return {name: str(uuid) for name, uuid in found.items() if uuid}


def first_id(machine: Machine) -> int:
    """The host's id of the zone's uid and gid 0."""
    return _FIRST_ID + machine.slot * ID_COUNT


def ids(user: str) -> tuple[int, int]:
    """`app`, `root` or numbers, with or without a group: the zone's uid and gid."""
    name, _, group = user.partition(":")
    numbers = [_NAMES[part] if part in _NAMES else int(part) for part in (name, group or name)]
    return numbers[0], numbers[1]


def zone(host: Host, machine: Machine, fast_path: Watch | None) -> oci.Zone:
    """The zone's configuration in plain facts."""
    properties, metadata = machine.properties, machine.metadata
    sparse = words.STACK in metadata
    uid, gid = ids(str(metadata.get(words.USER, "app" if sparse else "root")))
    return oci.Zone(
        uuid=machine.uuid,
        hostname=properties["hostname"],
        root=mounts.place(paths_of(host.settings, machine.uuid).folder, "root"),
        command=command(machine),
        environment=as_list(environment(host, machine, uid, fast_path)),
        working_directory=str(metadata.get(words.FOLDER, "/")),
        uid=uid,
        gid=gid,
        first_id=first_id(machine),
        cgroup=f"{cgroup(host, machine)}/zone",
        binds=_binds(host, machine),
        tmpfs_bytes=properties["tmpfs"] * _MIB,
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
    host: Host, machine: Machine, uid: int, fast_path: Watch | None
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
        runtimes=_runtimes(machine),
        descriptors=fast_path.inodes() if fast_path else None,
        socket=fast_path.name() if fast_path else "",
    )


def further_environment(
    host: Host, machine: Machine, uid: int, own: Mapping[str, str]
) -> list[str]:
    """Of a further process: the zone's, and over it what it is given."""
    return as_list(extended(environment(host, machine, uid, None), own))


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
    resolvers, search = _resolvers(host, machine)
    files.write(
        paths_of(host.settings, machine.uuid).folder,
        hostname=machine.properties["hostname"],
        domain=machine.properties["dns_domain"],
        address=addresses.address(host.settings.network, machine.slot),
        resolvers=resolvers,
        search=search,
    )


def write_resolvers(host: Host, machine: Machine) -> None:
    """Of a zone that runs: it sees the same file."""
    folder = paths_of(host.settings, machine.uuid).folder
    if folder.is_dir():
        files.write_resolvers(folder, *_resolvers(host, machine))


def _resolvers(host: Host, machine: Machine) -> tuple[Sequence[str], str]:
    """Its own, or the host's and how the host searches."""
    own = machine.properties["resolvers"]
    return own or [str(address) for address in host.resolvers], "" if own else host.search


def make_log(host: Host, uuid: str) -> None:
    """The log as control may read it: 0640, its group's. conmon appends to what is there.

    When it is full conmon makes a new one, 0600: `logs.Watch` gives it to control.
    """
    log = host.log(uuid)
    logs.begin(log)
    own_by_control(log, 0o640)


def preload(settings: Settings) -> Path:
    """The module that Node.js loads in every zone."""
    return settings.run / "preload.cjs"


def ca_bundle(settings: Settings) -> Path:
    """The certificates that every zone trusts."""
    return settings.run / "ca-certificates.crt"


def _binds(host: Host, machine: Machine) -> list[oci.Bind]:
    folder = paths_of(host.settings, machine.uuid).folder
    binds = []
    if words.STACK in machine.metadata:
        binds.append(oci.Bind(mounts.place(folder, "usr"), "/usr", executable=True))
    for name in _runtimes(machine):
        binds.append(oci.Bind(mounts.place(folder, name), f"/opt/{name}", executable=True))
    for name in ("resolv.conf", "hosts", "hostname"):
        binds.append(oci.Bind(folder / name, f"/etc/{name}"))
    binds.append(oci.Bind(ca_bundle(host.settings), files.CA_BUNDLE))
    if has_preload(machine):
        binds.append(oci.Bind(preload(host.settings), PRELOAD))
    for item in machine.properties["filesystems"]:
        options, (name, _) = item.get("options", []), _filesystem(item)
        binds.append(
            oci.Bind(
                mounts.place(folder, name),
                item["target"],
                executable="noexec" not in options,
                writable="ro" not in options,
            )
        )
    program = init.program() if has_init(machine) else None
    if program is not None:
        binds.append(oci.Bind(program, init.PLACE, executable=True))
    return binds


def _open_files() -> int:
    """Without CAP_SYS_RESOURCE (the host is a container) no limit can be above the host's own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES_MAX)
