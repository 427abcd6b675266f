"""Which files hold an app's log, and reading one of them from its end.

Names come from uuids that are checked here: no name of a tenant becomes a path.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paas.errors import PlatformError
from paas.logs.line import Assembler, Filter, LogLine, OwnLines
from paas.settings import Settings

WINDOW_BYTES = 64 * 1024
WINDOW_BYTES_MAX = 16 * 1024 * 1024
"""So far back `last_lines` looks in one file; a filter that matches less often finds less."""

Machine = tuple[str, str]
"""A machine's uuid and the name of its process: `("3f…", "web.1")`."""


@dataclass(frozen=True)
class Source:
    """One file; `process` is None where each line names its own."""

    path: Path
    process: str | None

    def assembler(self) -> Assembler | OwnLines:
        return OwnLines() if self.process is None else Assembler(self.process)


def sources(
    settings: Settings, app_id: str, machines: Sequence[Machine], only: Filter
) -> list[Source]:
    """The files that may hold lines that `only` accepts."""
    found = []
    if only.source in (None, "heroku"):
        found.append(Source(settings.logs / "router" / f"{checked(app_id)}.log", None))
    found.append(Source(settings.logs / "apps" / f"{checked(app_id)}.log", None))
    for uuid, process in machines:
        if only.accepts("app", process) or only.accepts("heroku", process):
            found.append(Source(settings.logs / "machines" / f"{checked(uuid)}.log", process))
    return found


def checked(uuid: str) -> str:
    if not re.fullmatch(r"[0-9a-f-]{8,64}", uuid):
        raise PlatformError(f"{uuid!r} can't name a log file")
    return uuid


def open_to_read(path: Path) -> int | None:
    """A descriptor, or None where there is no such file (or a link stands in its place)."""
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    return None


def last_lines(
    descriptor: int, end: int, count: int, source: Source, only: Filter
) -> list[LogLine]:
    """At most the last `count` lines before the offset `end` that `only` accepts.

    Reads backwards in doubling windows. The oldest line of a window may lack its beginning, one in
    each stream: so a window counts as enough when it holds two lines more.
    """
    window = WINDOW_BYTES
    while True:
        start = max(0, end - window)
        every = _parse(_whole_lines(descriptor, start, end), source)
        lines = [line for line in every if only.takes(line)]
        is_before = bool(every) and every[0].time_ns < only.since_ns
        if start == 0 or len(lines) >= count + 2 or is_before or window >= WINDOW_BYTES_MAX:
            return lines[-count:] if count else []
        window *= 2


def _whole_lines(descriptor: int, start: int, end: int) -> list[bytes]:
    data = read_range(descriptor, start, end)
    lines = after_hole(data).split(b"\n")
    return lines[1:] if start > 0 else lines


def after_hole(data: bytes) -> bytes:
    """`data` behind the hole that `prune` made, and behind the line that it cut in two.

    What is left of that line must not be read as one: an app could have prepared it.
    """
    if not data.startswith(b"\0"):
        return data
    kept = data.lstrip(b"\0")
    return kept[kept.find(b"\n") + 1 :] if b"\n" in kept else b""


def read_range(descriptor: int, start: int, end: int) -> bytes:
    found = []
    while start < end:
        piece = os.pread(descriptor, end - start, start)
        if not piece:
            break
        found.append(piece)
        start += len(piece)
    return b"".join(found)


def _parse(raw_lines: Sequence[bytes], source: Source) -> list[LogLine]:
    assembler = source.assembler()
    lines = [line for raw in raw_lines for line in assembler.feed(raw)]
    return [*lines, *assembler.flush()]
