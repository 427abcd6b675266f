"""The OCI runtime configuration of a zone (config.json), from plain facts. Pure.

Instances and builds have no capabilities at all; other machines have Docker's default set, inside
their user namespace. What the paths mean and who mounts them is `mounts`' matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas.node.zone.bundle import seccomp
from paas.node.zone.bundle.idmap import ID_COUNT

DOCKER_CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
        "MKNOD",
        "AUDIT_WRITE",
        "NET_RAW",
    ]
)
_MASKED = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/kmsg",
    "/proc/interrupts",
    "/proc/sysrq-trigger",
    "/proc/kallsyms",
    "/proc/modules",
    "/proc/cmdline",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/sys/kernel",
    "/sys/fs",
    "/sys/module",
    "/sys/block",
    "/sys/bus",
    "/sys/dev",
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]
_LIMITS = {"RLIMIT_MSGQUEUE": 163_840, "RLIMIT_SIGPENDING": 1024, "RLIMIT_MEMLOCK": 65_536}
"""Bytes, signals, bytes of one user: small parts of the sums for all zones (`supplies`)."""
_TERMINALS_MAX = 256
"""The host has kernel.pty.max (4096) for all zones together."""
_NAMESPACES = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"]


@dataclass(frozen=True)
class Bind:
    """A bind mount, read-only unless said: a folder or file of the host, at a place in the zone."""

    source: Path
    target: str
    executable: bool = False
    writable: bool = False


@dataclass(frozen=True)
class Zone:
    """All that the configuration depends on. `first_id` is the host's id of the zone's uid 0."""

    uuid: str
    hostname: str
    root: Path
    command: Sequence[str]
    environment: Sequence[str]
    working_directory: str
    uid: int
    gid: int
    first_id: int
    cgroup: str
    binds: Sequence[Bind]
    tmpfs_bytes: int
    shm_bytes: int
    open_files: int
    capabilities: Sequence[str] = ()
    oom_score: int = 500
    lingers: bool = True

    def user_on_host(self) -> tuple[int, int]:
        """The host's uid and gid of the zone's first process."""
        return self.first_id + self.uid, self.first_id + self.gid


def configuration(zone: Zone) -> dict[str, Any]:
    return {
        "ociVersion": "1.0.2",
        "hostname": zone.hostname,
        "root": {"path": str(zone.root), "readonly": False},
        "process": process(
            zone, zone.command, zone.environment, zone.working_directory, zone.uid, zone.gid
        ),
        "mounts": [*_system_mounts(zone), *(_bind_mount(bind) for bind in zone.binds)],
        "linux": {
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "uidMappings": [_mapping(zone.first_id)],
            "gidMappings": [_mapping(zone.first_id)],
            "cgroupsPath": zone.cgroup,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "seccomp": seccomp.profile(capabilities=zone.capabilities, lingers=zone.lingers),
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
            "rootfsPropagation": "private",
        },
    }


def process(
    zone: Zone,
    command: Sequence[str],
    environment: Sequence[str],
    working_directory: str,
    uid: int,
    gid: int,
    *,
    terminal: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The `process` object; also what `runc exec --process` reads for a further process.

    `terminal` are the rows and columns of the one that it gets.
    """
    size = {} if terminal is None else {"height": terminal[0], "width": terminal[1]}
    return {
        "terminal": terminal is not None,
        **({"consoleSize": size} if size else {}),
        "user": {"uid": uid, "gid": gid, "umask": 0o022},
        "args": list(command),
        "env": list(environment),
        "cwd": working_directory,
        "noNewPrivileges": True,
        "oomScoreAdj": zone.oom_score,
        "capabilities": {
            kind: list(zone.capabilities) for kind in ("bounding", "effective", "permitted")
        },
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": zone.open_files, "hard": zone.open_files},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            *({"type": name, "soft": most, "hard": most} for name, most in _LIMITS.items()),
        ],
    }


def _mapping(first_id: int) -> dict[str, int]:
    return {"containerID": 0, "hostID": first_id, "size": ID_COUNT}


def _system_mounts(zone: Zone) -> list[dict[str, Any]]:
    safe = ["nosuid", "noexec", "nodev"]
    tmp = ["nosuid", "nodev", "mode=1777", f"size={zone.tmpfs_bytes}"]
    return [
        _mount("/proc", "proc", safe),
        _mount("/dev", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=64k"]),
        _mount(
            "/dev/pts",
            "devpts",
            [
                *("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
                f"max={_TERMINALS_MAX}",
            ],
        ),
        _mount("/dev/shm", "tmpfs", [*safe, "mode=1777", f"size={zone.shm_bytes}"]),
        _mount("/dev/mqueue", "mqueue", safe),
        _mount("/sys", "sysfs", [*safe, "ro"]),
        *([_mount("/tmp", "tmpfs", tmp)] if zone.tmpfs_bytes else []),
    ]


def _mount(destination: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": kind, "options": options}


def _bind_mount(bind: Bind) -> dict[str, Any]:
    options = ["bind", "rw" if bind.writable else "ro", "nosuid", "nodev"]
    options += [] if bind.executable else ["noexec"]
    return {
        "destination": bind.target,
        "type": "bind",
        "source": str(bind.source),
        "options": options,
    }
