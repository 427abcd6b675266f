"""A request for which no instance is ready: it waits for one, or hears why that is of no use.

Waiting is bounded in length, over all workers, and in time, from the request's arrival.
"""

from time import time

from router.choice.apps import App
from router.http import failures as errors
from router.traffic import body, endings, phases, queue
from router.traffic.visit import Visit


def unavailable(visit: Visit, app: App, *, busy: bool = False) -> None:
    """No instance is ready: say why, or wait for one. `busy`: there are some, and they are full."""
    if busy:
        wait(visit, app)
    elif app.state == "asleep":
        if not queue.waiting(visit.worker, app):
            visit.worker.wanted(app)
        wait(visit, app)
    elif app.state == "blank":
        endings.fail(visit, errors.BLANK_APP)
    elif app.state == "crashed":
        endings.fail(visit, errors.APP_CRASHED)
    elif not app.instances:
        visit.worker.wanted(app)
        endings.fail(visit, errors.NO_WEB_INSTANCES)
    else:
        wait(visit, app)


def wait(visit: Visit, app: App) -> None:
    worker = visit.worker
    if worker.counters.queued(app.slot, worker.rows) >= app.queue_max:
        endings.fail(visit, errors.BACKLOG_TOO_DEEP)
        return
    if visit.phase is phases.BODY:
        body.pause(visit)
    waited_s = min(max(time() - visit.started, 0.0), app.queue_s)
    visit.limit, visit.active = app.queue_s, worker.now - waited_s
    queue.join(visit, app)
