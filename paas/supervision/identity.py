"""Which process runs an installation, and from which code: a locked file in the run folder."""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from paas import launch
from paas.errors import UserError
from paas.settings import Settings

_PACKAGES = ("paas", "router", "gitserver", "buildpacks")
_SUFFIXES = (".py", ".cjs", ".json", ".html")


@dataclass(frozen=True)
class Owner:
    """The supervisor of an installation. `code` is a digest of the source files it started from."""

    pid: int
    checkout: str
    code: str


@contextlib.contextmanager
def claim(settings: Settings) -> Iterator[None]:
    """Be the only supervisor of the installation; UserError when there is one already."""
    path = _path(settings)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    owner = Owner(os.getpid(), str(launch.checkout()), code_digest(launch.checkout()))
    try:
        _lock(settings, descriptor)
        os.ftruncate(descriptor, 0)  # at once: a killed owner's process id may be another's now
        os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def owner(settings: Settings) -> Owner | None:
    """The running supervisor; None when nobody holds the lock (or has just taken it)."""
    with _held(settings) as descriptor:
        return None if descriptor is None else _read(descriptor)


def wait_released(settings: Settings, *, timeout_s: float) -> None:
    """Return when no supervisor holds the installation; UserError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while _is_held(settings):
        if time.monotonic() > deadline:
            raise UserError(
                "busy",
                f"the platform did not stop within {timeout_s:.0f} s",
                f"Look at the process named in {_path(settings)}.",
            )
        time.sleep(0.05)  # flock has no wait with a time limit


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


def _is_held(settings: Settings) -> bool:
    with _held(settings) as descriptor:
        return descriptor is not None


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
