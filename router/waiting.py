"""The queue of an app: requests that came while none of its instances could take them.

It is bounded in length and time. It empties when the node notes an instance up, when a table brings
one, and twice a second (an instance that was busy may not be any more).
"""

from typing import TYPE_CHECKING

from router import endings, errors, exchange, phases
from router.counters import QUEUED

if TYPE_CHECKING:
    from router.balance import App
    from router.client import Client


def unavailable(client: "Client", app: "App") -> None:
    """No instance is ready: say why, or wait for one."""
    if app.state == "blank":
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
    if len(app.waiting) >= plane.limits.queue_length:
        endings.fail(client, errors.BACKLOG_TOO_DEEP)
        return
    if client.phase == phases.BODY:
        client.pause_reading()
    client.limit, client.active = plane.limits.queue_s, plane.now
    app.waiting[client] = None
    plane.queued.add(app)
    plane.counters.cells[app.cell + QUEUED] = len(app.waiting)


def withdraw(client: "Client") -> bool:
    """Take the client out of the queue; False when it is in none."""
    app = client.app
    if app is None or client not in app.waiting:
        return False
    del app.waiting[client]
    client.plane.counters.cells[app.cell + QUEUED] = len(app.waiting)
    return True


def release(app: "App") -> None:
    """Those who waited get an instance, or the answer that fits what their app is now."""
    clients = list(app.waiting)
    app.waiting.clear()
    for client in clients:
        plane = client.plane
        plane.counters.cells[app.cell + QUEUED] = 0
        client.limit, client.active = plane.limits.first_byte_s, plane.now
        exchange.route(client)
