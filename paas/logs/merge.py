"""The newest lines of an app's log, merged by time."""

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence

from paas.logs.files import Machine, last_lines, open_to_read, sources
from paas.logs.line import Filter, LogLine
from paas.settings import Settings


def read(
    settings: Settings,
    app_id: str,
    machines: Sequence[Machine],
    lines: int = 100,
    only: Filter | None = None,
) -> list[LogLine]:
    """At most the newest `lines` lines, the oldest first. Blocks: run it in a thread.

    `machines` are those whose output belongs to the app, gone ones too.
    """
    only = only or Filter()
    found = []
    for source in sources(settings, app_id, machines, only):
        descriptor = open_to_read(source.path)
        if descriptor is None:
            continue
        try:
            size = os.fstat(descriptor).st_size
            found.append(last_lines(descriptor, size, lines, source, only))
        finally:
            os.close(descriptor)
    return merge(found)[-lines:] if lines else []


def merge(files: Iterable[Sequence[LogLine]]) -> list[LogLine]:
    """By time. Lines of one file keep their order, also where its clock went back."""
    keyed = [_ordered(lines, number) for number, lines in enumerate(files)]
    return [line for _, _, line in heapq.merge(*keyed, key=lambda entry: entry[:2])]


def _ordered(lines: Sequence[LogLine], number: int) -> Iterator[tuple[int, int, LogLine]]:
    latest = 0
    for line in lines:
        latest = max(latest, line.time_ns)
        yield latest, number, line
