"""What the kernel counts when a zone hits a limit, and being told of it.

`Watch` tells by event: an eventfd on memory.oom_control (cgroup v1), inotify(7) on memory.events
and pids.events (v2). For processes v1 has a counter without an event in newer kernels (tried on
Linux 6.18); there it is looked at every ten seconds. What a hit means is decided elsewhere.
"""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from paas.node.zone.cgroups import MOUNT, hierarchies

LOOK_S = 10.0
_AFTER_OOM_S = (0.05, 0.25, 1.0, 3.0)
"""The eventfd tells of the shortage, and the kernel counts once it has chosen whom to kill."""
_FILE_BYTES_MAX = 4096
_IN_MODIFY, _IN_NONBLOCK, _IN_CLOEXEC = 0x2, 0o4000, 0o2000000
_EVENT = struct.Struct("=iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Counts:
    """Since the zone's cgroup was made: processes killed for memory, forks refused (max_lwps)."""

    oom_kills: int = 0
    lwps_hits: int = 0


def counts(path: str, mount: Path = MOUNT) -> Counts:
    """Of the machine with this cgroup; zeros where there is none."""
    return _counts(path, hierarchies(mount))


def _counts(path: str, roots: dict[str, Path]) -> Counts:
    kills = [_read(file, "oom_kill") for file in _memory_files(roots, path)]
    hits = [_read(file, "max") for file in _pids_files(roots, path)]
    return Counts(max(kills, default=0), max(hits, default=0))


@dataclass
class _Watched:
    told: Callable[[], None]
    eventfd: int = -1
    watches: list[int] = field(default_factory=list)
    seen: Counts = Counts()


class Watch:
    """Calls `told` when a zone may have hit a limit: `counts` then says whether it did.

    One for all machines of a node; it needs a running event loop from the first `begin` on.
    """

    def __init__(self, mount: Path = MOUNT) -> None:
        self._mount = mount
        self._roots = hierarchies(mount)
        self._zones: dict[str, _Watched] = {}
        self._inotify = -1
        self._look: asyncio.TimerHandle | None = None

    def begin(self, path: str, told: Callable[[], None]) -> None:
        """Watch the zone with this cgroup, which must exist. What can't be watched is looked at."""
        self.end(path)
        watched = self._zones[path] = _Watched(told, seen=_counts(path, self._roots))
        with suppress(OSError):
            if "" in self._roots:
                self._watch_files(path, watched)
            else:
                self._look_later()
                self._register(path, watched)

    def end(self, path: str) -> None:
        watched = self._zones.pop(path, None)
        if watched is None:
            return
        if watched.eventfd >= 0:
            asyncio.get_running_loop().remove_reader(watched.eventfd)
            os.close(watched.eventfd)
        for number in watched.watches:
            _libc.inotify_rm_watch(self._inotify, number)

    def close(self) -> None:
        for path in list(self._zones):
            self.end(path)
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._inotify >= 0:
            asyncio.get_running_loop().remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def _register(self, path: str, watched: _Watched) -> None:
        """The kernel's documentation, cgroup-v1/memory.rst, section 10."""
        file = self._roots.get("memory", self._mount) / path.strip("/") / "zone/memory.oom_control"
        control = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        watched.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        asyncio.get_running_loop().add_reader(watched.eventfd, self._short, path, watched)
        try:
            words = f"{watched.eventfd} {control}"
            file.with_name("cgroup.event_control").write_text(words)
        finally:
            os.close(control)

    def _short(self, path: str, watched: _Watched) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(watched.eventfd)
        for delay_s in _AFTER_OOM_S:
            asyncio.get_running_loop().call_later(delay_s, self._tell, path, watched)

    def _tell(self, path: str, watched: _Watched) -> None:
        if self._zones.get(path) is watched:
            found = _counts(path, self._roots)
            if found != watched.seen:
                watched.seen = found
                watched.told()

    def _watch_files(self, path: str, watched: _Watched) -> None:
        if self._inotify < 0:
            self._inotify = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
            if self._inotify < 0:
                raise OSError(ctypes.get_errno(), "can't make an inotify instance")
            asyncio.get_running_loop().add_reader(self._inotify, self._modified)
        for file in (*_memory_files(self._roots, path), *_pids_files(self._roots, path)):
            number = _libc.inotify_add_watch(self._inotify, os.fsencode(file), _IN_MODIFY)
            if number >= 0:
                watched.watches.append(number)

    def _modified(self) -> None:
        numbers = set()
        with suppress(BlockingIOError):
            events, at = os.read(self._inotify, 65536), 0
            while at < len(events):
                number, _, _, length = _EVENT.unpack_from(events, at)
                numbers.add(number)
                at += _EVENT.size + length
        for path, watched in list(self._zones.items()):
            if numbers & set(watched.watches):
                self._tell(path, watched)

    def _look_later(self) -> None:
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_S, self._look_at_all)

    def _look_at_all(self) -> None:
        self._look = None
        for path, watched in list(self._zones.items()):
            self._tell(path, watched)
        if self._zones:
            self._look_later()


def _memory_files(roots: dict[str, Path], path: str) -> list[Path]:
    """Kills are counted where the victim was, also when the limit stands above it."""
    if "" in roots:
        return [roots[""] / path.strip("/") / "zone" / "memory.events"]
    if "memory" in roots:
        return [roots["memory"] / path.strip("/") / "zone" / "memory.oom_control"]
    return []


def _pids_files(roots: dict[str, Path], path: str) -> list[Path]:
    """v2 since Linux 6.11 counts where the limit stands; before, and v1, where the fork was."""
    root = roots.get("", roots.get("pids"))
    if root is None:
        return []
    folder = root / path.strip("/")
    both = [folder / "zone" / "pids.events", folder / "pids.events"]
    return both if "" in roots else both[:1]


def _read(file: Path, key: str) -> int:
    """The value in lines `key value`; 0 when the file or the key is not there."""
    # By descriptor: all idle zones are looked at every ten seconds, and a file object costs more.
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        lines = os.read(descriptor, _FILE_BYTES_MAX).decode().splitlines()
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    values = [line.split()[1] for line in lines if line.startswith(f"{key} ")]
    return int(values[0]) if values and values[0].isdigit() else 0
