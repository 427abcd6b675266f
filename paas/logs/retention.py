"""Keeps the log files small and removes those that nobody needs.

A file that somebody writes to is never renamed or rewritten: the disk blocks of its old part are
given back (fallocate(2), FALLOC_FL_PUNCH_HOLE). Writers and readers keep their offsets.
"""

import ctypes
import errno
import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paas.settings import Settings

KEEP_BYTES = 32 * 1024 * 1024
KEEP_S = 7 * 86400.0
BLOCK_BYTES = 4096
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True)
class Pruned:
    removed: tuple[Path, ...]
    freed_bytes: int


def prune(
    settings: Settings,
    machines: Collection[str],
    apps: Collection[str],
    keep_bytes: int = KEEP_BYTES,
    keep_s: float = KEEP_S,
) -> Pruned:
    """Leave of each file about the last `keep_bytes`; remove the files of those that are no more.

    `machines` and `apps` (ids) exist: theirs are kept. A machine's file outlives it by `keep_s`, so
    that the last words of a release can still be read; an app's files go with the app. Files that
    the caller may not change (those of machines are root's) are left alone.
    """
    removed: list[Path] = []
    freed = 0
    oldest = time.time() - keep_s
    for folder, alive, outlives in (
        ("machines", machines, True),
        ("router", apps, False),
        ("apps", apps, False),
    ):
        for path in sorted((settings.logs / folder).glob("*.log")):
            with suppress(FileNotFoundError, PermissionError):
                status = path.lstat()
                if path.stem not in alive and not (outlives and status.st_mtime > oldest):
                    path.unlink()
                    removed.append(path)
                    freed += status.st_blocks * 512
                elif status.st_blocks * 512 > keep_bytes + BLOCK_BYTES:
                    freed += _shorten(path, keep_bytes)
    return Pruned(tuple(removed), freed)


def _shorten(path: Path, keep_bytes: int) -> int:
    """Give back all but the last `keep_bytes`; 0 where the file system can't."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        before = os.fstat(descriptor)
        length = (before.st_size - keep_bytes) // BLOCK_BYTES * BLOCK_BYTES
        if length <= 0:
            return 0
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        if libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, 0, length) != 0:
            number = ctypes.get_errno()
            if number in _NOT_SUPPORTED:
                return 0
            raise OSError(number, os.strerror(number), str(path))
        return max(0, (before.st_blocks - os.fstat(descriptor).st_blocks) * 512)
    finally:
        os.close(descriptor)
