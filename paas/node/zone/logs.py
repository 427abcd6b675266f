"""The machines' logs as far as the node has to look after them: they are root's.

conmon writes `<logs>/machines/<uuid>.log` and replaces a file that has reached its bound, with one
that only root could read: `Watch` gives that to control's group. A machine that is gone leaves its
log for a week, as long as such logs are not too much together. Reading is `paas.logs`' matter.
"""

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEEP_S = 7 * 86400.0
KEEP_BYTES = 1024**3
LOG_BYTES_MAX = 64 * 1024 * 1024
_IN_MOVED_TO, _IN_NONBLOCK, _IN_CLOEXEC = 0x80, 0o4000, 0o2000000
_EVENT = struct.Struct("=iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Left:
    """The log of a machine that is gone; `ended_s` is when it was written to last."""

    path: Path
    ended_s: float
    size_bytes: int


def surplus(
    logs: Sequence[Left], now_s: float, keep_s: float = KEEP_S, keep_bytes: int = KEEP_BYTES
) -> list[Path]:
    """What to delete: what is older than `keep_s`, then the oldest beyond `keep_bytes`. Pure."""
    total, found = 0, []
    for left in sorted(logs, key=lambda left: left.ended_s, reverse=True):
        total += left.size_bytes
        if now_s - left.ended_s > keep_s or total > keep_bytes:
            found.append(left.path)
    return found


def prune(folder: Path, machines: Collection[str]) -> list[Path]:
    """Delete the surplus of the logs whose machine is none of `machines`; what was deleted."""
    left = []
    for path in folder.glob("*.log*"):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if path.name.split(".")[0] not in machines:
                left.append(Left(path, status.st_mtime, status.st_blocks * 512))
    removed = surplus(left, time.time())
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def begin(path: Path) -> None:
    """Before a boot: a log that has reached its bound is replaced, for conmon counts from 0."""
    with suppress(FileNotFoundError):
        if path.stat().st_blocks * 512 >= LOG_BYTES_MAX:
            path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o640)


class Watch:
    """Tells of each log that conmon replaced (inotify(7)): one descriptor for all machines."""

    def __init__(self, folder: Path, replaced: Callable[[Path], None]) -> None:
        self._folder, self._replaced = folder, replaced
        self._descriptor = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "can't make an inotify instance")
        if _libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _IN_MOVED_TO) < 0:
            number = ctypes.get_errno()
            os.close(self._descriptor)
            raise OSError(number, f"can't watch {folder}: {os.strerror(number)}")
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        for name in names(os.read(self._descriptor, 65536)):
            if name.endswith(".log"):
                with suppress(OSError):
                    self._replaced(self._folder / name)


def names(events: bytes) -> list[str]:
    """File names out of inotify's events. Pure."""
    found, at = [], 0
    while at < len(events):
        *_, length = _EVENT.unpack_from(events, at)
        at += _EVENT.size
        found.append(os.fsdecode(events[at : at + length].rstrip(b"\0")))
        at += length
    return found
