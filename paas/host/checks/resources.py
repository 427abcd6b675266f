"""Checks of what is scarce: disk, memory, ports, and the right time."""

import errno
import os
import socket
import time
from pathlib import Path

from paas.host.finding import Finding, ok, problem, warning
from paas.host.processes import platform_pid, port_holder
from paas.host.programs import run
from paas.settings import Settings

GIB = 1024**3
DISK_FREE_BYTES = 2 * GIB
DISK_ADVISED_BYTES = 8 * GIB
DISK_OWN_BYTES = 16 * 1024**2
"""For what processes write to start at all: records, the route table, the log, the database."""
MEMORY_LEAST_BYTES = 700 * 1024**2
MEMORY_ADVISED_BYTES = 1800 * 1024**2
RELEASED_S = 1_790_000_000
"""A clock before this moment (autumn 2026) is wrong: certificates would not be valid."""


def router_port(settings: Settings) -> Finding:
    return _port(settings, "router-port", settings.router_port, "", "PAAS_ROUTER_PORT")


def control_port(settings: Settings) -> Finding:
    return _port(settings, "control-port", settings.control_port, "127.0.0.1", "PAAS_CONTROL_PORT")


def ssh_port(settings: Settings) -> Finding:
    if not settings.ssh_port:
        return ok("ssh-port", "git is not served over SSH (PAAS_SSH_PORT=2222 paas up serves it)")
    return _port(settings, "ssh-port", settings.ssh_port, "", "PAAS_SSH_PORT")


def _port(settings: Settings, name: str, number: int, address: str, variable: str) -> Finding:
    error = _try_to_bind(address or "0.0.0.0", number)
    if error is None:
        return ok(name, f"{number} is free")
    if platform_pid(settings) is not None:
        return ok(name, f"{number} is in use; this platform runs")
    who = port_holder(number)
    text = f"port {number} is taken{f' by {who}' if who else ''}"
    if error != errno.EADDRINUSE:
        text = f"port {number} can't be opened: {os.strerror(error)}"
    return problem(
        name, text, f"Stop that program, or choose another port: {variable}={number + 10} paas up"
    )


def _try_to_bind(address: str, number: int) -> int | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
            probe.listen(1)
        except OSError as error:
            return error.errno
    return None


def disk(settings: Settings) -> Finding:
    folder = settings.state
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    text = f"{_gib(free)} free of {_gib(status.f_blocks * status.f_frsize)} at {folder}"
    pool = settings.pool_file
    if pool.exists():
        text += f"; the pool takes {_gib(pool.stat().st_blocks * 512)}"
    if free < DISK_OWN_BYTES:
        return problem(
            "disk",
            f"the disk of {folder} is full ({free // 1024} KiB free): nothing can be written",
            f"Free some space, {DISK_OWN_BYTES // 1024**2} MiB at the least: df {folder}",
        )
    if free < DISK_FREE_BYTES:
        needed = f"at least {_gib(DISK_FREE_BYTES)} must be free"
        if pool.exists():
            # What is there can run; `pool` tells whether anything new can be made.
            return warning("disk", f"{text}: {needed} for more", "Free some space.")
        return problem("disk", f"{text}: {needed}", "Free some space, or name another pool_device.")
    if free < DISK_ADVISED_BYTES:
        advice = f"{_gib(DISK_ADVISED_BYTES)} free are better for more than a few apps."
        return warning("disk", text, advice)
    return ok("disk", text)


def pool(settings: Settings) -> Finding:
    """Whether the pool can be written, and has room for more than is there."""
    from paas.node.pools.interface import reserve_bytes

    mount, file = settings.pool_mount, settings.pool_file
    if settings.pool_device and not Path(settings.pool_device).is_block_device():
        mount, file = Path(settings.pool_device), Path(settings.pool_device)
    elif not mount.is_mount():
        if platform_pid(settings) is None:
            return ok("pool", f"{mount} is mounted when the platform starts")
        text = f"{mount} is not mounted, though the platform runs: no app can start"
        return problem("pool", text, f"Its log says why: {settings.logs / 'platform.log'}")
    status = os.statvfs(mount)
    below = os.statvfs(file.parent if file.exists() else mount)
    free = min(status.f_bavail * status.f_frsize, below.f_bavail * below.f_frsize)
    room = f"{_gib(free)} free, {_gib(below.f_bavail * below.f_frsize)} on the disk below"
    if status.f_flag & os.ST_RDONLY:
        text = f"{mount} is read-only since its disk was full or failed ({room}): no app can change"
        return problem("pool", text, "Make room on the disk, then: paas down && paas up -d")
    reserve = reserve_bytes(status.f_blocks * status.f_frsize)
    if free < reserve:
        text = f"{mount} is at its reserve of {_gib(reserve)} ({room})"
        advice = "Apps run, but write nothing more, and none can be pushed or scaled: make room."
        return problem("pool", text, advice)
    return ok("pool", f"{mount}: {room}")


def memory(settings: Settings) -> Finding:
    values = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(values["MemTotal"].split()[0]) * 1024
    left = int(values["MemAvailable"].split()[0]) * 1024
    text = f"{_gib(total)}, of which {_gib(left)} are available"
    if total < MEMORY_LEAST_BYTES:
        return problem("memory", f"{text}: builds will run out of it", "Use a server with 1 GiB.")
    if total < MEMORY_ADVISED_BYTES:
        return warning("memory", text, "Builds of large apps need 2 GiB, or swap.")
    return ok("memory", text)


def clock(settings: Settings) -> Finding:
    if time.time() < RELEASED_S:
        return problem("clock", f"it is set to {time.ctime()}", "Set it: timedatectl set-ntp true")
    answer = run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if answer.status == 0 and answer.out.strip() == "no":
        return warning("clock", "nobody keeps it right", "timedatectl set-ntp true")
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
