"""What is kept of a request that has ended: numbers in the counters, and its line in the log.

The line is that of Heroku's router: https://devcenter.heroku.com/articles/http-routing.
"""

from time import time
from typing import Final

from router.http.failures import Failure
from router.memory.counters import (
    BYTES_OUT,
    HISTOGRAM,
    ROUTER_ERRORS,
    SERVICE_US,
    SMALL_BUCKETS,
    STATUS,
    bucket,
)
from router.traffic.accesslog import quoted
from router.traffic.visit import Visit

UNROUTED_LOG: Final = "unrouted"
"""The log of requests that belong to no app."""


def record(visit: Visit) -> None:
    now = time()
    service_s = now - visit.started - visit.connect_s
    if service_s < 0.0:  # the clock was set back
        service_s = 0.0
    failure = visit.failure
    app = visit.app
    worker = visit.worker
    status = visit.status
    if app is not None:
        cells = worker.counters.cells
        cell = app.cell
        service_us = int(service_s * 1_000_000)
        cells[cell + STATUS + (status // 100 if status < 600 else 5)] += 1
        cells[cell + BYTES_OUT] += visit.bytes_out
        cells[cell + SERVICE_US] += service_us
        index = SMALL_BUCKETS[service_us] if service_us < 4096 else bucket(service_us)
        cells[cell + HISTOGRAM + index] += 1
        if failure is not None:
            cells[cell + ROUTER_ERRORS] += 1
    line = visit.line
    target = line.target
    if b'"' in target or b"\\" in target:
        target = quoted(target)
    log = worker.log
    log.add(
        UNROUTED_LOG if app is None else app.id,
        b'%b heroku[router]: at=%b method=%b path="%b" host=%b request_id=%b fwd="%b" dyno=%b'
        b" connect=%dms service=%dms status=%d bytes=%d protocol=%b\n"
        % (
            log.stamp(now),
            b"info" if failure is None else _error(failure),
            line.method,
            target,
            visit.fields.host,
            visit.request_id,
            visit.visitor,
            visit.dyno,
            visit.connect_s * 1000,
            service_s * 1000,
            status,
            visit.bytes_out,
            b"https" if visit.https else b"http",
        ),
    )
    visit.dyno = b""


def _error(failure: Failure) -> bytes:
    said = f"{failure.description}: {failure.reason}" if failure.reason else failure.description
    return b'error code=%b desc="%b"' % (failure.code.encode(), quoted(said.encode()))
