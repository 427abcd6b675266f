"""The queue of an app: the visits that wait until one of its instances can take them.

There is one as long as somebody waits. How many do, and since when, the other workers see in the
counters. Who comes in and why is `waiting`'s matter, and how they go on that of `release`.
"""

from router.choice.apps import App
from router.memory.counters import QUEUED, WAITING_SINCE
from router.traffic.visit import Visit, WorkerState


def join(visit: Visit, app: App) -> None:
    visit.worker.queues.setdefault(app, {})[visit] = None
    count(visit.worker, app)


def withdraw(visit: Visit) -> bool:
    """Take the visit out of its app's queue; False when it is in none."""
    app = visit.app
    if app is None or visit not in waiting(visit.worker, app):
        return False
    del visit.worker.queues[app][visit]
    count(visit.worker, app)
    return True


def take_all(worker: WorkerState, app: App) -> list[Visit]:
    """Everybody, oldest first: nobody waits any more."""
    visits = list(worker.queues.pop(app, ()))
    count(worker, app)
    return visits


def waiting(worker: WorkerState, app: App) -> dict[Visit, None]:
    """Who waits, oldest first."""
    return worker.queues.get(app, {})


def may_stay(app: App) -> bool:
    """Whoever waits for the app would be made to wait again."""
    if app.maintenance or app.redirects:
        return False
    return app.state == "asleep" or (app.state == "live" and bool(app.instances))


def count(worker: WorkerState, app: App) -> None:
    """Let the other workers know how many wait here, and since when the first of them does."""
    queue = worker.queues.get(app)
    if not queue:
        worker.queues.pop(app, None)
        queue = {}
    cells = worker.counters.cells
    oldest = next(iter(queue), None)
    cells[app.cell + QUEUED] = len(queue)
    cells[app.cell + WAITING_SINCE] = 0 if oldest is None else int(oldest.started * 1_000_000)
