"""A request is in flight: counted at its instance, on a connection to it."""

from router.traffic.visit import Connection, Visit


def detach(visit: Visit) -> Connection | None:
    """The visit and its connection to the instance know each other no more."""
    upstream, visit.upstream = visit.upstream, None
    if upstream is not None:
        upstream.visit = None
    return upstream


def leave(visit: Visit) -> None:
    """The request is no longer in flight at its instance."""
    instance = visit.instance
    if instance is None:
        return
    visit.instance = None
    visit.dyno = instance.name
    worker = visit.worker
    worker.counters.cells[instance.cell] -= 1
    if instance.watched:
        worker.left(instance)
