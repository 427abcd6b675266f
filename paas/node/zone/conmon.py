"""conmon and runc: the processes that hold a zone; how the node starts, finds and signals them.

conmon outlives the node. It starts the runtime, writes the zone's output to the log, keeps the
zone's descriptors 3 and 4 open (so that a new node can take the listener back), and writes the exit
status to a file when the first process of the zone ends.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas.errors import PlatformError
from paas.node.errors import StartFailed
from paas.node.zone import cgroups
from paas.node.zone.logs import LOG_BYTES_MAX
from paas.settings import Settings
from paas.system import command, descriptors
from paas.system.descriptors import readable
from paas.system.processes import first_of, spawn, start_time, wait_child, wait_exit

_LOOK_AGAIN_S = 0.05
_START_TIMEOUT_S = 60.0
_UUID = re.compile(rb"[0-9a-f-]{36}")
_OOM_TO_END_S = 5.0


@dataclass(frozen=True)
class Paths:
    """Where the processes of one zone leave their files: all in the machine's run folder."""

    uuid: str
    folder: Path
    runtime_state: Path
    log: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def conmon_pid(self) -> Path:
        return self.folder / "conmon.pid"

    @property
    def init_pid(self) -> Path:
        return self.folder / "init.pid"

    @property
    def exit_folder(self) -> Path:
        return self.folder / "exit"


def paths_of(settings: Settings, uuid: str) -> Paths:
    return Paths(
        uuid=uuid,
        folder=settings.machines_run / uuid,
        runtime_state=settings.run / "runc",
        log=settings.logs / "machines" / f"{uuid}.log",
    )


@dataclass(frozen=True)
class Holders:
    """The processes of a zone that runs: pids of the host."""

    conmon: int
    init: int


def runtime_argv(paths: Paths, *words: str) -> list[str]:
    return [_program("runc"), "--root", str(paths.runtime_state), *words]


async def create(paths: Paths, cgroup: str, descriptors: Sequence[int]) -> Holders:
    """Let conmon make the zone (its first process waits for `start`). Raises StartFailed.

    `descriptors` become 3, 4, … in the zone.
    """
    _clear(paths)
    sync_read, sync_write = os.pipe()
    start_read, start_write = os.pipe()
    errors = os.open(paths.folder / "conmon.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    null = os.open(os.devnull, os.O_RDWR)
    try:
        inherited = [null, null, errors, *descriptors, sync_write, start_read]
        # conmon writes a file `oom` also where it stands: let that be the machine's own folder.
        argv = [_program("env"), f"--chdir={paths.bundle}", *_conmon_argv(paths, len(descriptors))]
        pid = spawn(argv, inherited, _environment(descriptors))
        os.close(sync_write)
        sync_write = -1
        # The kernel takes milliseconds for each hierarchy: other machines don't wait for it.
        await asyncio.to_thread(cgroups.enter, cgroup, pid)
        os.write(start_write, b"\0")
        async with asyncio.timeout(_START_TIMEOUT_S):
            answer = await _read_line(sync_read)
        with contextlib.suppress(ChildProcessError):  # Collected as a process of the zone's.
            await wait_child(pid)
    finally:
        for descriptor in (sync_read, sync_write, start_read, start_write, errors, null):
            if descriptor >= 0:
                os.close(descriptor)
    return _holders(paths, answer)


async def start(paths: Paths, zone: Holders) -> None:
    """Let the first process of a zone that `create` made run. Raises StartFailed.

    As `runc start` does it, without a process more: the zone's waits to write into this FIFO.
    """
    fifo = _exec_fifo(paths)
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            written = await first_of(readable(descriptor), wait_exit(zone.init))
        if not written or not os.read(descriptor, 1):
            raise StartFailed("its first process ended before it was started")
    except TimeoutError as error:
        raise StartFailed("its first process does not wait to be started") from error
    finally:
        os.close(descriptor)
    fifo.unlink(missing_ok=True)


async def remove(paths: Paths) -> None:
    """Make the runtime forget the zone, killing what is left of it. Repeatable."""
    if (paths.runtime_state / paths.uuid).exists():
        with contextlib.suppress(command.CommandFailed):
            await command.run_async(
                runtime_argv(paths, "delete", "--force", paths.uuid), timeout_s=30
            )
        await asyncio.to_thread(shutil.rmtree, paths.runtime_state / paths.uuid, ignore_errors=True)


def find(paths: Paths) -> Holders | None:
    """The processes of a zone that an earlier node started, if both still live and are its own."""
    try:
        conmon = int(paths.conmon_pid.read_text())
        init = int(paths.init_pid.read_text())
        argv = _argv(conmon)
        state = json.loads((paths.runtime_state / paths.uuid / "state.json").read_text())
    except (OSError, ValueError):
        return None
    ours = paths.uuid.encode() in argv and state.get("init_process_pid") == init
    # runc keeps the start time as /proc/<pid>/stat has it: a pid that was used again differs.
    if not ours or start_time(init) != state.get("init_process_start"):
        return None
    return Holders(conmon, init)


def is_created_only(paths: Paths) -> bool:
    """Whether the zone still waits for `start`: its maker died in between (runc's exec FIFO)."""
    return _exec_fifo(paths).exists()


def _exec_fifo(paths: Paths) -> Path:
    return paths.runtime_state / paths.uuid / "exec.fifo"


def orphan_conmon(paths: Paths) -> int | None:
    """conmon of this zone where `find` finds no whole zone: to be killed, or about to end."""
    try:
        pid = int(paths.conmon_pid.read_text())
    except (OSError, ValueError):
        return None
    return pid if paths.uuid.encode() in _argv(pid) else None


def strays(runtime_state: Path) -> dict[int, str]:
    """Processes of conmon and runc that use this runtime state: pid → the zone's uuid.

    Also those that never got to write their pid: a killed node leaves them on their way.
    """
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and _is_roots(int(entry.name)):
            argv = _argv(int(entry.name))
            uuids = [word for word in argv if _UUID.fullmatch(word)]
            if os.fsencode(runtime_state) in argv and uuids:
                found[int(entry.name)] = uuids[-1].decode()
    return found


def runs_a_command(pid: int) -> bool:
    """Whether it is `runc exec`, which has started a process inside a zone and waits for it."""
    return b"exec" in _argv(pid)


def _is_roots(pid: int) -> bool:
    """The host's own root's: a tenant chooses the arguments of its processes (proc(5), Uid)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    return any(line.split()[1:3] == ["0", "0"] for line in lines if line.startswith("Uid:"))


def _argv(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def exit_code(paths: Paths) -> int | None:
    """The first process's status as a shell has it (128 + signal); None while it is unknown."""
    try:
        return int((paths.exit_folder / paths.uuid).read_text())
    except (OSError, ValueError):
        return None


def ran_out_of_memory(paths: Paths) -> bool:
    """Whether the kernel killed in the zone for memory just before its end, and not long ago."""
    try:
        killed_s = (paths.bundle / "oom").stat().st_mtime
        ended_s = (paths.exit_folder / paths.uuid).stat().st_mtime
    except FileNotFoundError:
        return False
    return ended_s - killed_s < _OOM_TO_END_S


def note_out_of_memory(paths: Paths) -> None:
    """The kernel killed for memory just now: conmon makes its file at the first time only."""
    with contextlib.suppress(OSError):
        (paths.bundle / "oom").touch()


async def terminate_late(zone: Holders) -> None:
    """SIGTERM to a first process that did not listen to it yet, as soon as it does.

    The kernel drops a signal that the first process has no handler for (pid_namespaces(7)): one
    that still starts would run on. Nothing tells when it gets one, so this looks again and again.
    """
    if catches(zone.init, signal.SIGTERM) is not False:
        return
    while (caught := catches(zone.init, signal.SIGTERM)) is False:  # noqa: ASYNC110 (no event)
        await asyncio.sleep(_LOOK_AGAIN_S)
    if caught:
        signal_init(zone, signal.SIGTERM)


def catches(pid: int, number: int) -> bool | None:
    """Whether the process has a handler (proc(5), SigCgt); None when it is gone.

    runc's own, on its way to the command, has handlers that are none of the command's.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    if lines and lines[0].startswith("Name:\trunc:["):
        return False
    mask = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    return bool(mask >> (number - 1) & 1)


def _conmon_argv(paths: Paths, descriptor_count: int) -> list[str]:
    preserve = ["--preserve-fds", str(descriptor_count)] if descriptor_count else []
    argv = [
        _program("conmon"),
        *("--api-version", "1"),
        *("--cid", paths.uuid, "--cuuid", paths.uuid, "--name", paths.uuid),
        *("--runtime", _program("runc")),
        *("--runtime-arg", "--root", "--runtime-arg", str(paths.runtime_state)),
        *("--bundle", str(paths.bundle)),
        *("--full-attach", "--no-new-keyring", "--no-sync-log"),
        *("--conmon-pidfile", str(paths.conmon_pid), "--container-pidfile", str(paths.init_pid)),
        *("--exit-dir", str(paths.exit_folder), "--persist-dir", str(paths.bundle)),
        *("--log-path", f"k8s-file:{paths.log}", "--log-size-max", str(LOG_BYTES_MAX)),
        *("--log-level", "error"),
    ]
    for word in preserve:
        argv += ["--runtime-opt", word]
    return argv


def _environment(descriptors: Sequence[int]) -> dict[str, str]:
    first = 3 + len(descriptors)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "_OCI_SYNCPIPE": str(first),
        "_OCI_STARTPIPE": str(first + 1),
    }


def _clear(paths: Paths) -> None:
    # runc writes the pid by way of a file that must not be there: it may have been killed then.
    half_written = paths.init_pid.with_name(f".{paths.init_pid.name}")
    for file in (
        paths.conmon_pid,
        paths.init_pid,
        half_written,
        paths.exit_folder / paths.uuid,
    ):
        file.unlink(missing_ok=True)
    paths.exit_folder.mkdir(mode=0o700, exist_ok=True)


async def _read_line(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    received = b""
    while not received.endswith(b"\n"):
        chunk = await descriptors.read(descriptor, 65536)
        if not chunk:
            break
        received += chunk
    return received


def _holders(paths: Paths, answer: bytes) -> Holders:
    try:
        message: dict[str, Any] = json.loads(answer or b"{}")
    except ValueError:
        message = {}
    pid = int(message.get("data", -1))
    if pid <= 0:
        words = (paths.folder / "conmon.err").read_text(errors="replace")
        raise StartFailed(_plain(str(message.get("message") or words or "conmon said nothing")))
    return Holders(int(paths.conmon_pid.read_text()), pid)


def _plain(message: str) -> str:
    """runc's last words without its log decoration."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    line = lines[-1] if lines else "the runtime gave no reason"
    if 'msg="' in line:
        line = line.split('msg="', 1)[1].rsplit('"', 1)[0].replace('\\"', '"')
    for prefix in ("runc create failed: ", "unable to start container process: "):
        line = line.removeprefix(prefix)
    return line


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PlatformError(f"{name} is not installed: apt install {name}")
    return found


def signal_init(holders: Holders, number: int) -> None:
    """Signal the zone's first process; fine if it just ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(holders.init, number)
