"""Which process runs an installation, and from which code: a locked file in the run folder.

The holder has the file open as well: its lock outlives a killed supervisor, and goes on in the one
that the holder starts. So between the two nobody else becomes the supervisor.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from paas.errors import UserError
from paas.host.code import checkout
from paas.settings import Settings

_PACKAGES = ("paas", "router", "gitserver", "buildpacks")
_SUFFIXES = (".py", ".cjs", ".json", ".html")
PAUSE_S = 0.05
SETTLED_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Owner:
    """The supervisor of an installation. `code` is a digest of the source files it started from,
    `settings` of its settings; `started` tells it from a later process of the same number."""

    pid: int
    checkout: str
    code: str
    settings: str = ""
    started: int = 0

    def runs_as(self, other: "Owner") -> bool:
        """Whether its processes are what the other would have started."""
        mine = (self.checkout, self.code, self.settings)
        return mine == (other.checkout, other.code, other.settings)


@dataclass(frozen=True)
class Claim:
    """The lock on an installation. `before` is who had it and was killed, if somebody was."""

    descriptor: int
    owner: Owner
    before: Owner | None


@contextlib.contextmanager
def claim(settings: Settings, handed: int | None = None) -> Iterator[Claim]:
    """Be the only supervisor of the installation; UserError when there is one already.

    `handed` is the file as a killed supervisor had it: its lock is this process's now.
    """
    path = _path(settings)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644) if handed is None else handed
    owner = _myself(settings)
    try:
        _lock(settings, descriptor)
        before = _read(descriptor)
        os.ftruncate(descriptor, 0)  # at once: a killed owner's process id may be another's now
        os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
        yield Claim(descriptor, owner, before)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def owner(settings: Settings) -> Owner | None:
    """The running supervisor; None when nobody holds the lock, has just taken it, or is about to
    be started again by the holder."""
    with _held(settings) as descriptor:
        found = None if descriptor is None else _read(descriptor)
    return found if found and _lives(found) else None


def settled_owner(settings: Settings, timeout_s: float = SETTLED_TIMEOUT_S) -> Owner | None:
    """The running supervisor, when there is one or will be in a moment."""
    deadline = time.monotonic() + timeout_s
    while (found := owner(settings)) is None and is_held(settings):
        if time.monotonic() > deadline:
            return None
        time.sleep(PAUSE_S)
    return found


def end_owner(settings: Settings, number: signal.Signals, *, timeout_s: float) -> None:
    """Signal the supervisor, and one that takes its place meanwhile; return when nobody holds the
    installation. UserError after `timeout_s`."""
    told = 0
    deadline = time.monotonic() + timeout_s
    while is_held(settings):
        found = owner(settings)
        if found is not None and found.pid != told:
            told = found.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(told, number)
        if time.monotonic() > deadline:
            raise UserError(
                "busy",
                f"the platform did not stop within {timeout_s:.0f} s",
                f"Look at the process named in {_path(settings)}.",
            )
        time.sleep(PAUSE_S)  # flock has no wait with a time limit


def is_held(settings: Settings) -> bool:
    """Whether a supervisor or a holder has the installation."""
    with _held(settings) as descriptor:
        return descriptor is not None


def code_digest(checkout: Path) -> str:
    """Changes when any source file of the platform does."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((checkout / package).rglob("*")):
            if path.suffix in _SUFFIXES:
                digest.update(str(path.relative_to(checkout)).encode() + b"\0")
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _held(settings: Settings) -> Iterator[int | None]:
    """The file, if somebody holds its lock."""
    try:
        descriptor = os.open(_path(settings), os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield None if _is_free(descriptor) else descriptor
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _path(settings: Settings) -> Path:
    return settings.run / "supervisor.json"


def _lock(settings: Settings, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _read(descriptor)
        who = f" (process {found.pid}, from {found.checkout})" if found else ""
        raise UserError(
            "already_running",
            f"the platform already runs{who}",
            "Use it, or stop it first with `paas down`.",
        ) from None


def _read(descriptor: int) -> Owner | None:
    try:
        return Owner(**json.loads(os.pread(descriptor, 65536, 0)))
    except (ValueError, TypeError):
        return None


def _myself(settings: Settings) -> Owner:
    folder, pid = checkout(), os.getpid()
    told = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    return Owner(pid, str(folder), code_digest(folder), told, _started(pid))


def _lives(owner: Owner) -> bool:
    return not owner.started or _started(owner.pid) == owner.started


def _started(pid: int) -> int:
    """0 when it has ended."""
    from paas.system.processes import start_time

    return start_time(pid) or 0
