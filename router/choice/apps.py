"""Apps as a worker sees them: what the table says of one, ready for its requests."""

from collections.abc import Sequence

from router.choice import check, gate, steering
from router.choice.instances import Instance
from router.http import pages
from router.memory.counters import app_cell
from router.memory.limits import Limits
from router.table import route_table


class App:
    """`ready` are the instances to choose from now.

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
        self, entry: route_table.App, instances: Sequence[Instance], limits: Limits, now: float
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
        self.check = check.request((*entry.domains, entry.name), wanted.health_path)
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

    @property
    def is_reached(self) -> bool:
        """Whether any instance that is ready takes connections, as far as is known."""
        return any(not instance.failures for instance in self.ready)
