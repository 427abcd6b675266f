"""Those who wait go on.

release(worker, app)      when the node notes an instance up, when a table brings one, and twice
                          a second (an instance that was busy may not be any more)
left(worker, instance)    when a request ends at an instance that has a limit of them in flight
"""

from router.choice.apps import App
from router.choice.instances import Instance
from router.choice.steering import Chooser
from router.traffic import queue, request
from router.traffic.visit import WorkerState


def release(worker: WorkerState, app: App) -> None:
    """Those who waited get an instance, or the answer that fits what their app is now."""
    chooser = app.chooser
    if app.ready and chooser is not None and chooser.concurrency and queue.may_stay(app):
        _release_into_room(worker, app, chooser)
        return
    for visit in queue.take_all(worker, app):
        request.resume(visit)


def left(worker: WorkerState, instance: Instance) -> None:
    """A request has ended at an instance that is watched: someone may wait for that."""
    if instance.waiting_for_drain and not worker.counters.cells[instance.cell]:
        worker.drained(instance)
    app = worker.routes.apps.get(instance.app)
    if app is not None and app.chooser is not None and app.chooser.concurrency:
        _room(worker, app)


def _room(worker: WorkerState, app: App) -> None:
    """A place is free: the oldest request that waits may go on, in whichever worker it is."""
    row = worker.counters.oldest_waiting(app.slot, worker.rows)
    if row == worker.row:
        release(worker, app)
    elif row:
        worker.bells.ring(row)


def _release_into_room(worker: WorkerState, app: App, chooser: Chooser) -> None:
    for visit in list(queue.waiting(worker, app)):
        instance = request.choose(visit, chooser, app.ready)
        if instance is not None:
            queue.waiting(worker, app).pop(visit, None)
            visit.active = worker.now
            request.give(visit, instance)
        elif not chooser.steered:
            break
    queue.count(worker, app)
