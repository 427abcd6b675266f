"""Apps and instances as a worker sees them, and the choice of an instance for a request.

The fewest requests in flight win, counted over all workers: all instances are compared up to eight,
two random ones above. Instances that the node noted down are never picked; one that refused
connections is left alone for a while, unless no other is there.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from router.choice import gate, steering
from router.http import pages
from router.memory.counters import Counters, app_cell, instance_cell
from router.memory.limits import Limits
from router.table import table
from router.worker import health

if TYPE_CHECKING:
    from router.traffic.client import Client
    from router.traffic.upstream import Upstream

COMPARE_ALL_MAX: Final = 8
EJECTION_S: Final = 5.0
EJECTION_MAX_S: Final = 60.0


class Instance:
    """One process of an app. `cell` is this worker's count of its requests in flight.

    `watched`: the end of a request here may matter to others (see `waiting.left`).
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

    def __init__(self, instance: table.Instance, slot: int, row: int, up: bool) -> None:
        self.id = instance.id
        self.app = ""
        self.name = instance.name.encode()
        self.unix = instance.unix
        self.tcp = instance.tcp
        self.slot = slot
        self.cell = instance_cell(row, slot)
        self.up = up
        self.idle: list[Upstream] = []
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

    def reached_like(self, instance: table.Instance) -> bool:
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


class App:
    """`ready` are the instances to choose from now; `waiting` are those who found none.

    What an app asks for beyond the usual is prepared with each table: `gate`, `chooser`, `check`
    and the pages are None or empty where it asks for nothing, so that its requests pay nothing.
    `open`: there is nothing to do before an instance is chosen.
    """

    __slots__ = (
        "cell",
        "check",
        "chooser",
        "error_page",
        "first_byte_s",
        "gate",
        "id",
        "instances",
        "maintenance",
        "maintenance_page",
        "open",
        "queue_max",
        "queue_s",
        "ready",
        "redirects",
        "rolling_s",
        "slot",
        "state",
        "waiting",
    )

    def __init__(self, id: str, slot: int, row: int) -> None:
        self.id = id
        self.slot = slot
        self.cell = app_cell(row, slot)
        self.state = "live"
        self.maintenance = False
        self.redirects = False
        self.open = True
        self.instances: tuple[Instance, ...] = ()
        self.ready: Sequence[Instance] = ()
        self.waiting: dict[Client, None] = {}
        self.chooser: steering.Chooser | None = None
        self.gate: gate.Gate | None = None
        self.check = b""
        self.error_page = b""
        self.maintenance_page = b""
        self.first_byte_s = 0.0
        self.rolling_s = 0.0
        self.queue_max = 0
        self.queue_s = 0.0

    def prepare(
        self, entry: table.App, instances: Sequence[Instance], limits: Limits, now: float
    ) -> None:
        """Become what an entry of the table says; `limits` stand where it says nothing."""
        wanted = entry.routing
        self.state = entry.state
        self.maintenance = entry.maintenance
        self.redirects = entry.https == "redirect"
        self.instances = tuple(instances)
        self.first_byte_s = wanted.first_byte_timeout_s or limits.first_byte_s
        self.rolling_s = wanted.rolling_timeout_s or limits.idle_s
        self.queue_max = limits.queue_length if wanted.queue_max is None else wanted.queue_max
        self.queue_s = wanted.queue_timeout_s or limits.queue_s
        self.error_page = pages.framing(wanted.error_page_url)
        self.maintenance_page = pages.framing(wanted.maintenance_page_url)
        self.gate = gate.gate(entry.id, wanted)
        self.check = health.request((*entry.domains, entry.name), wanted.health_path)
        self.chooser = steering.chooser(
            entry.id, wanted, entry.weights, entry.rules, self.instances
        )
        for instance in instances:
            instance.first_byte_s = self.first_byte_s
            instance.rolling_s = self.rolling_s
            instance.healthy = instance.healthy or not self.check
            instance.watched = instance.waiting_for_drain or wanted.concurrency > 0
        self.refresh(now)

    def refresh(self, now: float) -> None:
        """Decide anew who is ready: up, healthy and not ejected, as far as there are such."""
        self.open = not self.maintenance and not self.redirects and self.gate is None
        up = [instance for instance in self.instances if instance.up]
        known = [instance for instance in up if instance.ejected_until <= now]
        self.ready = [instance for instance in known if instance.healthy] or known or up

    def is_reached(self, now: float) -> bool:
        """Whether any instance that is ready takes connections, as far as is known."""
        return any(instance.ejected_until <= now for instance in self.ready)


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
