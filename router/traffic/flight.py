"""What is counted of a request while it is at an instance."""

from router.traffic.visit import Visit


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
