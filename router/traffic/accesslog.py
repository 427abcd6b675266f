"""Access lines, one file an app, in the form of Heroku's router.

Lines are collected and written together every 200 ms, each file with one append, so that lines of
several workers never mix. What does not fit the bounds is dropped and counted: a log never delays
a request and never fills the memory.
"""

import contextlib
import fcntl
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

FLUSH_INTERVAL_S: Final = 0.2
PENDING_LINES_MAX: Final = 20_000
OPEN_FILES_MAX: Final = 128
FILE_BYTES_MAX: Final = 16 * 1024 * 1024


class AccessLog:
    """`dropped` counts the lines that were lost since the start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: dict[str, list[bytes]] = {}
        self._files: OrderedDict[str, int] = OrderedDict()
        self.count = 0
        self.dropped = 0
        self._second = -1
        self._stamp = b""

    def stamp(self, now: float) -> bytes:
        """RFC 3339 in UTC with microseconds; `now` is in seconds since the epoch."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        return b"%b.%06d+00:00" % (self._stamp, (now - second) * 1_000_000)

    def add(self, name: str, line: bytes) -> None:
        """A line for `<folder>/<name>.log`, complete with its end."""
        if self.count >= PENDING_LINES_MAX:
            self.dropped += 1
            return
        self.count += 1
        lines = self._pending.get(name)
        if lines is None:
            self._pending[name] = [line]
        else:
            lines.append(line)

    def flush(self) -> None:
        """Write what is pending. A file that can't be written loses its lines; they are counted."""
        pending, self._pending, self.count = self._pending, {}, 0
        for name, lines in pending.items():
            try:
                self._append(name, b"".join(lines))
            except OSError:
                self.dropped += len(lines)
                self._close(name)

    def close(self) -> None:
        self.flush()
        for name in list(self._files):
            self._close(name)

    def _append(self, name: str, text: bytes) -> None:
        descriptor = self._open(name)
        if os.fstat(descriptor).st_size + len(text) > FILE_BYTES_MAX:
            self._rotate(name, descriptor)
            descriptor = self._open(name)
        os.write(descriptor, text)

    def _open(self, name: str) -> int:
        """The file's descriptor; opened again when another worker has rotated the file away."""
        descriptor = self._files.get(name)
        if descriptor is not None:
            if self._is_current(name, descriptor):
                self._files.move_to_end(name)
                return descriptor
            self._close(name)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._files[name] = os.open(self._path(name), flags, 0o640)
        if len(self._files) > OPEN_FILES_MAX:
            self._close(next(iter(self._files)))
        return self._files[name]

    def _is_current(self, name: str, descriptor: int) -> bool:
        try:
            return os.path.samestat(self._path(name).stat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _rotate(self, name: str, descriptor: int) -> None:
        """Rename the file to `….log.1`, unless another worker did so at the same time."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if self._is_current(name, descriptor):
            self._path(name).rename(self._folder / f"{name}.log.1")
        self._close(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _close(self, name: str) -> None:
        descriptor = self._files.pop(name, None)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def quoted(value: bytes) -> bytes:
    """`value` fit to stand between quotes in a line: no visitor can end the field or the line."""
    if value.isalnum():
        return value
    text = value.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    return "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in text).encode()
