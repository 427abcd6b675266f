"""Lines of a log: the two file formats, and what hostile bytes become.

An app prints whatever it likes. Here it becomes lines of text in which nothing but tabs and colours
is left of the control characters, so that it can neither forge a line nor steer a terminal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from paas.logs import levels
from paas.system.plaintext import plain_but_colours

LINE_BYTES_MAX = 10_000
"""Heroku cuts lines at 10,000 bytes into several (Dev Center, "Log message size limits")."""

_RECORD = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d) "
    rb"(stdout|stderr|heroku) ([PF])(?: |$)"
)
"""The k8s-file format of conmon: `<time> <stream> <P|F> <text>`, P for a line that goes on.

The node adds lines of its own (`Process exited with status 1`) with `heroku` as the stream: conmon
begins each line of the app with a head of its own, so that no app can write such a line.
"""

_OWN = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d) "
    rb"(app|heroku)\[([A-Za-z0-9._-]{1,64})\]: ?"
)
"""A line of the router or the platform: `<time> heroku[router]: <text>`."""


@dataclass(frozen=True)
class LogLine:
    """`time_ns` is since the epoch; `source` `app` or `heroku`; `process` `web.1`, `router`, …"""

    time_ns: int
    source: str
    process: str
    text: str

    def __str__(self) -> str:
        return f"{written(self.time_ns)} {self.source}[{self.process}]: {self.text}"


@dataclass(frozen=True)
class Filter:
    """`process` is an instance (`web.1`), a process type (`web`) or a cron (`cron.nightly`); None
    accepts everything. Further: from `since_ns` on and before `until_ns`, each of `texts` is in it
    (small or large letters), and it is of that level or graver."""

    source: str | None = None
    process: str | None = None
    since_ns: int = 0
    until_ns: int | None = None
    texts: tuple[str, ...] = ()
    level: str | None = None

    def accepts(self, source: str, process: str) -> bool:
        if self.source is not None and source != self.source:
            return False
        types = (process.partition(".")[0], process.rpartition(".")[0])
        return self.process in (None, process, *types)

    def takes(self, line: LogLine) -> bool:
        if not self.accepts(line.source, line.process) or line.time_ns < self.since_ns:
            return False
        if self.until_ns is not None and line.time_ns >= self.until_ns:
            return False
        if self.texts:
            text = line.text.casefold()
            if not all(each.casefold() in text for each in self.texts):
                return False
        return self.level is None or levels.rank(line.text) >= levels.LEVELS.index(self.level)


def neutral(raw: bytes) -> str:
    """One line of text: UTF-8 with replacements, no control characters but tabs and colours."""
    text = raw.removesuffix(b"\r").decode("utf-8", "replace")
    return plain_but_colours(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def pieces(raw: bytes) -> list[bytes]:
    """`raw` in pieces of at most LINE_BYTES_MAX bytes, never inside a UTF-8 character."""
    found = []
    while len(raw) > LINE_BYTES_MAX:
        end = LINE_BYTES_MAX
        while end > LINE_BYTES_MAX - 4 and raw[end] & 0xC0 == 0x80:
            end -= 1
        found.append(raw[:end])
        raw = raw[end:]
    return [*found, raw]


def parse_own(raw: bytes) -> LogLine | None:
    """A line that the platform or the router wrote; None for anything else."""
    match = _OWN.match(raw)
    time_ns = _time_ns(match[1], match[2], match[3]) if match else None
    if match is None or time_ns is None:
        return None
    text = neutral(raw[match.end() : match.end() + LINE_BYTES_MAX])
    return LogLine(time_ns, match[4].decode(), match[5].decode(), text)


@dataclass
class Assembler:
    """Makes the lines of one machine from conmon's records; holds one unfinished line a stream."""

    process: str
    _parts: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    def feed(self, raw: bytes) -> Iterator[LogLine]:
        """The lines that this record completes; a record that is none yields nothing."""
        match = _RECORD.match(raw)
        time_ns = _time_ns(match[1], match[2], match[3]) if match else None
        if match is None or time_ns is None:
            return
        stream, whole = match[4], match[5] == b"F"
        first_ns, text = self._parts.pop(stream, (time_ns, b""))
        *full, rest = pieces(text + raw[match.end() :])
        source = "heroku" if stream == b"heroku" else "app"
        for piece in full:
            yield LogLine(first_ns, source, self.process, neutral(piece))
        if whole:
            yield LogLine(first_ns, source, self.process, neutral(rest))
        else:
            self._parts[stream] = (first_ns, rest)

    def flush(self) -> Iterator[LogLine]:
        """What stands there without its end."""
        for time_ns, text in self._parts.values():
            yield LogLine(time_ns, "app", self.process, neutral(text))
        self._parts.clear()


@dataclass
class OwnLines:
    """The Assembler of files that the platform and the router write."""

    def feed(self, raw: bytes) -> Iterator[LogLine]:
        line = parse_own(raw)
        if line is not None:
            yield line

    def flush(self) -> Iterator[LogLine]:
        return iter(())


def _time_ns(second: bytes, fraction: bytes | None, zone: bytes) -> int | None:
    try:
        moment = datetime.fromisoformat((second + zone).decode())
        return int(moment.timestamp()) * 10**9 + int((fraction or b"0").ljust(9, b"0"))
    except (ValueError, OverflowError):
        return None


def written(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds, as Heroku writes it."""
    seconds, rest = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds")


def now_line(time_ns: int, source: str, process: str, text: str) -> LogLine:
    """A line of the platform's own; its text is made neutral."""
    return LogLine(time_ns, source, process, neutral(text.encode("utf-8", "replace")))
