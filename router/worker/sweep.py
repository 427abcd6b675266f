"""Twice a second over all that has a time limit, so that no connection needs a timer of its own."""

import asyncio

from router.traffic import endings, waiting
from router.traffic.plane import Plane
from router.traffic.upstream import Upstream
from router.worker import pace

INTERVAL_S = 0.5
MEMO_S = 10.0
"""After so much silence a connection's remembered heads are dropped."""
CROWDED_KEEP_ALIVE_S = 2.0
"""How long a kept connection may be silent while others wait to be let in."""


def sweep(plane: Plane, marks: pace.Pace) -> None:
    plane.now = now = asyncio.get_running_loop().time()
    for client in list(plane.clients):
        idle_s = now - client.active
        if idle_s > client.limit + INTERVAL_S:  # marks are as old as the last sweep
            if not (pace.is_answered(client) and pace.waiting_bytes(client)):
                endings.expired(client)
        elif idle_s > MEMO_S:
            client.forget()
        if plane.crowded and idle_s > CROWDED_KEEP_ALIVE_S:
            client.leave()
    for client in marks.late():
        endings.too_slow(client)
    if plane.crowded:
        plane.admission()
    for instance in plane.routes.instances.values():
        if instance.idle:
            _close_idle(plane, instance.idle, now)
    _rejoin(plane, now)
    _retry_queued(plane)


def _close_idle(plane: Plane, idle: list[Upstream], now: float) -> None:
    """The pool is last in, first out: what is too old stands in front."""
    while idle and now - idle[0].idle_since > plane.limits.pooled_s:
        idle.pop(0).drop()


def _rejoin(plane: Plane, now: float) -> None:
    """Instances whose pause after failed connects is over are ready again."""
    for app in plane.ejecting.copy():
        app.refresh(now)
        if all(instance.ejected_until <= now for instance in app.instances):
            plane.ejecting.discard(app)


def _retry_queued(plane: Plane) -> None:
    for app in plane.queued.copy():
        plane.queued.discard(app)
        if app.waiting and app.ready:
            waiting.release(plane, app)
        if app.waiting:
            plane.queued.add(app)
