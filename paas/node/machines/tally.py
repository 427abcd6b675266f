"""A machine's limit hits: added up in its record, and told at most every five seconds."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from paas.node.machines.machine import Machine

REPORT_PAUSE_S = 5.0
"""A zone that hits its limit again and again costs one record written in this time."""


def changes(machine: Machine, found: Mapping[str, int], moment: str) -> dict[str, Any]:
    """What of the record is other when the kernel's counters are `found`. Pure.

    They begin anew with a zone's cgroup: one that is lower than what was counted counts whole.
    """
    changed: dict[str, Any] = {}
    for total, stamp in (("oom_kills", "oom_kill_timestamp"), ("lwps_hits", "lwps_hit_timestamp")):
        now, before = found[total], machine.counted.get(total, 0)
        more = now - before if now >= before else now
        if more:
            changed |= {total: getattr(machine, total) + more, stamp: moment}
    return {**changed, "counted": dict(found)} if changed else {}


class Tally:
    """Calls `report` after a hit, and no more often than REPORT_PAUSE_S allows."""

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report
        self._pending: asyncio.TimerHandle | None = None
        self._next_s = 0.0

    def told(self) -> None:
        """There may have been a hit."""
        if self._pending is None:
            loop = asyncio.get_running_loop()
            self._pending = loop.call_at(max(self._next_s, loop.time()), self._tell)

    def end(self) -> None:
        """The machine does not run any more: whoever knows that counts by itself."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def _tell(self) -> None:
        self._pending = None
        self._next_s = asyncio.get_running_loop().time() + REPORT_PAUSE_S
        self._report()
