"""The queue of an app: requests that came while none of its instances could take them.

It is bounded in length, over all workers, and in time, from the request's arrival. It empties when
the node notes an instance up, when a table brings one, when a request ends at an instance that has
a limit of requests in flight, and twice a second (an instance that was busy may not be any more).
"""

from time import time
from typing import TYPE_CHECKING

from router.http import failures as errors
from router.memory.counters import QUEUED, WAITING_SINCE
from router.traffic import endings, exchange, phases

if TYPE_CHECKING:
    from router.choice.apps import App
    from router.choice.instances import Instance
    from router.traffic.client import Client
    from router.traffic.plane import Plane


def unavailable(client: "Client", app: "App", *, busy: bool = False) -> None:
    """No instance is ready: say why, or wait for one. `busy`: there are some, and they are full."""
    if busy:
        wait(client, app)
    elif app.state == "asleep":
        if not app.waiting:
            client.plane.wanted(app)
        wait(client, app)
    elif app.state == "blank":
        endings.fail(client, errors.BLANK_APP)
    elif app.state == "crashed":
        endings.fail(client, errors.APP_CRASHED)
    elif not app.instances:
        client.plane.wanted(app)
        endings.fail(client, errors.NO_WEB_INSTANCES)
    else:
        wait(client, app)


def wait(client: "Client", app: "App") -> None:
    plane = client.plane
    if plane.counters.queued(app.slot, plane.rows) >= app.queue_max:
        endings.fail(client, errors.BACKLOG_TOO_DEEP)
        return
    if client.phase == phases.BODY:
        client.pause_reading()
    waited_s = min(max(time() - client.started, 0.0), app.queue_s)
    client.limit, client.active = app.queue_s, plane.now - waited_s
    app.waiting[client] = None
    plane.queued.add(app)
    _count(plane, app)


def withdraw(client: "Client") -> bool:
    """Take the client out of the queue; False when it is in none."""
    app = client.app
    if app is None or client not in app.waiting:
        return False
    del app.waiting[client]
    _count(client.plane, app)
    return True


def may_stay(app: "App") -> bool:
    """Whoever waits for the app would be made to wait again."""
    if app.maintenance or app.redirects:
        return False
    return app.state == "asleep" or (app.state == "live" and bool(app.instances))


def release(plane: "Plane", app: "App") -> None:
    """Those who waited get an instance, or the answer that fits what their app is now."""
    if app.ready and app.chooser is not None and app.chooser.concurrency and may_stay(app):
        _release_into_room(plane, app)
        return
    clients = list(app.waiting)
    app.waiting.clear()
    _count(plane, app)
    for client in clients:
        client.active = plane.now
        exchange.route(client)


def left(plane: "Plane", instance: "Instance") -> None:
    """A request has ended at an instance that is watched: someone may wait for that."""
    if instance.waiting_for_drain and not plane.counters.cells[instance.cell]:
        plane.drained(instance)
    app = plane.routes.apps.get(instance.app)
    if app is not None and app.chooser is not None and app.chooser.concurrency:
        _room(plane, app)


def _room(plane: "Plane", app: "App") -> None:
    """A place is free: the oldest request that waits may go on, in whichever worker it is."""
    row = plane.counters.oldest_waiting(app.slot, plane.rows)
    if row == plane.row:
        release(plane, app)
    elif row:
        plane.bells.ring(row)


def _release_into_room(plane: "Plane", app: "App") -> None:
    chooser = app.chooser
    assert chooser is not None
    for client in list(app.waiting):
        instance = exchange.choose(client, chooser, app.ready)
        if instance is not None:
            app.waiting.pop(client, None)
            client.active = plane.now
            exchange.give(client, instance)
        elif not chooser.steered:
            break
    _count(plane, app)


def _count(plane: "Plane", app: "App") -> None:
    """Let the other workers know how many wait here, and since when the first of them does."""
    cells = plane.counters.cells
    oldest = next(iter(app.waiting), None)
    cells[app.cell + QUEUED] = len(app.waiting)
    cells[app.cell + WAITING_SINCE] = 0 if oldest is None else int(oldest.started * 1_000_000)
