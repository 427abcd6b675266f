"""Twice a second over all that has a time limit, so that no connection needs a timer of its own."""

import asyncio

from router.traffic import endings, intake, release
from router.traffic.visit import Connection, WorkerState
from router.worker import expiry, pace

INTERVAL_S = 0.5
MEMO_S = 10.0
"""After so much silence a connection's remembered heads are dropped."""
CROWDED_KEEP_ALIVE_S = 2.0
"""How long a kept connection may be silent while others wait to be let in."""


def sweep(state: WorkerState, marks: pace.Pace) -> None:
    state.now = now = asyncio.get_running_loop().time()
    for visit in list(state.visits):
        idle_s = now - visit.active
        if idle_s > visit.limit + INTERVAL_S:  # marks are as old as the last sweep
            if not (pace.is_answered(visit) and pace.waiting_bytes(visit)):
                expiry.expired(visit)
        elif idle_s > MEMO_S:
            intake.forget(visit)
        if state.crowded and idle_s > CROWDED_KEEP_ALIVE_S:
            endings.close_idle(visit)
    for visit in marks.late():
        expiry.too_slow(visit)
    if state.crowded:
        state.admission()
    for instance in state.routes.instances.values():
        if instance.idle:
            _close_idle(state, instance.idle, now)
    _rejoin(state, now)
    _retry_queued(state)


def _close_idle(state: WorkerState, idle: list[Connection], now: float) -> None:
    """The pool is last in, first out: what is too old stands in front."""
    while idle and now - idle[0].idle_since > state.limits.pooled_s:
        idle.pop(0).drop()


def _rejoin(state: WorkerState, now: float) -> None:
    """Instances whose pause after failed connects is over are ready again."""
    for app in state.ejecting.copy():
        app.refresh(now)
        if all(instance.ejected_until <= now for instance in app.instances):
            state.ejecting.discard(app)


def _retry_queued(state: WorkerState) -> None:
    for app in list(state.queues):
        if app.ready:
            release.release(state, app)
