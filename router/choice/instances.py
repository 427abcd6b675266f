"""Instances as a worker sees them, and the choice of one for a request.

The fewest requests in flight win, counted over all workers: all instances are compared up to eight,
two random ones above. Instances that the node noted down are never picked; one that refused
connections is left alone for a while, unless no other is there.
"""

import random
from collections.abc import Sequence
from typing import Any, Final

from router.memory.counters import Counters, instance_cell
from router.table import route_table

COMPARE_ALL_MAX: Final = 8
EJECTION_S: Final = 5.0
EJECTION_MAX_S: Final = 60.0


class Instance:
    """One process of an app. `cell` is this worker's count of its requests in flight.

    `idle` is the pool of connections to it: what they are is `traffic`'s matter. `watched`: the end
    of a request here may matter to others (see `release.left`).
    """

    __slots__ = (
        "against",
        "app",
        "cell",
        "ejected_until",
        "failures",
        "first_byte_s",
        "healthy",
        "id",
        "idle",
        "name",
        "next_check",
        "release",
        "retired",
        "rolling_s",
        "slot",
        "tcp",
        "unix",
        "up",
        "waiting_for_drain",
        "watched",
    )

    def __init__(self, instance: route_table.Instance, slot: int, row: int, up: bool) -> None:
        self.id = instance.id
        self.app = ""
        self.name = instance.name.encode()
        self.unix = instance.unix
        self.tcp = instance.tcp
        self.slot = slot
        self.cell = instance_cell(row, slot)
        self.up = up
        self.idle: list[Any] = []
        self.failures = 0
        self.ejected_until = 0.0
        self.retired = False
        self.waiting_for_drain = False
        self.watched = False
        self.healthy = True
        self.against = 0
        self.next_check = 0.0
        self.release = instance.release
        self.first_byte_s = 0.0
        self.rolling_s = 0.0

    def reached_like(self, instance: route_table.Instance) -> bool:
        return self.unix == instance.unix and self.tcp == instance.tcp

    def failed_to_connect(self, now: float) -> None:
        """Leave it alone for a while, twice as long each time; failures at once count once."""
        if now < self.ejected_until:
            return
        pause_s = min(EJECTION_S * 2 ** min(self.failures, 10), EJECTION_MAX_S)
        self.failures += 1
        self.ejected_until = now + pause_s

    def connected(self) -> None:
        self.failures = 0
        self.ejected_until = 0.0


def pick(ready: Sequence[Instance], counters: Counters, rows: Sequence[int]) -> Instance:
    """The instance with the fewest requests in flight; `rows` are the living workers' first cells.

    `ready` has at least one. Ties are broken at random, so that workers do not march in step.
    """
    if len(ready) == 1:
        return ready[0]
    if len(ready) > COMPARE_ALL_MAX:
        ready = random.sample(ready, 2)
    cells = counters.cells
    best: list[Instance] = []
    fewest = -1
    for instance in ready:
        slot = instance.slot
        count = 0
        for row in rows:
            count += cells[row + slot]
        if count < fewest or fewest < 0:
            fewest, best = count, [instance]
        elif count == fewest:
            best.append(instance)
    return best[0] if len(best) == 1 else random.choice(best)
