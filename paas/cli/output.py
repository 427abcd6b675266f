"""What the user sees: data on stdout, progress and errors on stderr, colour only on a terminal.

Everything that came from somewhere else goes through `paas.system.plaintext`: nothing that an app
says can steer the terminal, except colours in logs.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from paas.errors import UserError
from paas.system import plaintext


def plain(text: object) -> str:
    return plaintext.plain(str(text))


def print_value(text: str) -> None:
    """Exactly as it is for a program that reads it, harmless on a terminal."""
    print(plain(text) if sys.stdout.isatty() else text)


def has_colour(stream: TextIO) -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def coloured(text: str, code: str, stream: TextIO | None = None) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if has_colour(stream or sys.stdout) else text


def print_line(text: object = "") -> None:
    print(plain(text))


def print_json(value: Any) -> None:
    print(plaintext.escaped(json.dumps(value, indent=2, ensure_ascii=False)))


def note(text: str) -> None:
    """A line of progress or advice."""
    print(plain(text), file=sys.stderr)


def print_error(error: UserError) -> None:
    mark = coloured(" !    ", "31", sys.stderr)
    lines = [error.message, *([error.hint] if error.hint else [])]
    for line in "\n".join(lines).splitlines():
        print(f"{mark}{plain(line)}", file=sys.stderr)


class Progress:
    """`result` is what follows `done`: `progress.result = "v10"` prints `done, v10`."""

    result = ""


@contextmanager
def progress(text: str) -> Iterator[Progress]:
    """`Creating app... done, ⬢ hello` on stderr; `!` instead of `done` when the block fails."""
    print(f"{plain(text)}... ", end="", file=sys.stderr, flush=True)
    state = Progress()
    try:
        yield state
    except BaseException:
        print(coloured("!", "31", sys.stderr), file=sys.stderr, flush=True)
        raise
    print(f"done, {plain(state.result)}" if state.result else "done", file=sys.stderr, flush=True)


def hexagon(app: object) -> str:
    return f"⬢ {app}"


def header(text: str) -> None:
    """`=== text`, then an empty line."""
    print(coloured(f"=== {plain(text)}", "1"))
    print()


def print_pairs(pairs: Mapping[str, object]) -> None:
    """`Key:   value`, values aligned."""
    width = max((len(key) for key in pairs), default=0) + 2
    for key, value in pairs.items():
        print(f"{plain(key) + ':':<{width}}{plain(value)}".rstrip())


def print_columns(rows: Sequence[Sequence[object]], titles: Sequence[str] = ()) -> None:
    """Left-aligned columns, two spaces between."""
    table = [*([list(titles)] if titles else []), *[[plain(cell) for cell in row] for row in rows]]
    if not table:
        return
    widths = [max(len(str(row[column])) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def when(stamp: str | None) -> str:
    """`2026/09/01 10:00:00 +0000 (~ 1h ago)`, in the user's time zone."""
    time = parsed_time(stamp)
    if time is None:
        return ""
    local = time.astimezone().strftime("%Y/%m/%d %H:%M:%S %z")
    return f"{local} (~ {span((datetime.now(UTC) - time).total_seconds())} ago)"


def parsed_time(stamp: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    seconds = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
