"""The ways in which a request ends without its whole response.

fail           a failure of the app or the platform: a page, or a cut
broken_body    a body that made no sense after its head was forwarded
visitor_gone   the visitor has left
cut_short      the worker ends before the request does
broken         an error of our own

Which of them it is when a time limit is over, `worker.expiry` says.
"""

import contextlib
import socket
import struct
import traceback
from time import time
from typing import Final

from router.http import failures as errors
from router.http import pages
from router.http.failures import BadRequest, Failure
from router.traffic import flight, phases, queue
from router.traffic.record import record
from router.traffic.visit import Visit

_DISCARD: Final = struct.pack("ii", 1, 0)
"""socket(7), SO_LINGER: closing resets the connection."""


def fail(visit: Visit, failure: Failure) -> None:
    """Answer with the failure's page, or cut when part of a response is out already.

    To HTTP/1.0 a close may be the end of the body: only a reset says that it is not all.
    """
    visit.failure = failure
    _abandon(visit)
    if visit.responding:
        _end(visit)
        if not visit.line.minor:
            discard(visit)
        visit.phase = phases.LINGER
        visit.transport.abort()
        return
    close_where_due(visit)
    text, body_bytes = pages.response(
        failure,
        visit.request_id,
        pages.wants_html(visit.block),
        visit.line.method == b"HEAD",
        visit.closing,
        time(),
        _own_page(visit, failure),
    )
    deliver(visit, failure.status, text, body_bytes)


def close_where_due(visit: Visit) -> None:
    """The router answers itself: has the connection to end with that?"""
    if visit.phase is phases.BODY or visit.worker.stopping or not visit.line.minor:
        visit.closing = True


def deliver(visit: Visit, status: int, text: bytes, body_bytes: int) -> None:
    """A response of the router's own, whole."""
    visit.status = status
    visit.responding = True
    visit.bytes_out = body_bytes
    visit.transport.write(text)
    _end(visit)
    visit.settled()


def _own_page(visit: Visit, failure: Failure) -> bytes:
    """The app's page for what its owner has to answer for; nothing where it has none."""
    app = visit.app
    if app is None or failure.status < 500:
        return b""
    return app.maintenance_page if failure is errors.MAINTENANCE else app.error_page


def broken_body(visit: Visit, error: BadRequest) -> None:
    """The app has part of the request: its connection is spoilt, and so is the visitor's."""
    visit.closing = True
    fail(visit, errors.restriction(error))


def visitor_gone(visit: Visit, tunnel: bool) -> None:
    """The visitor's connection is gone while a request was under way."""
    if not tunnel:
        visit.failure = errors.CLIENT_INTERRUPTED
        visit.status = 499
    queue.withdraw(visit)
    _abandon(visit)
    _end(visit)


def cut_short(visit: Visit) -> None:
    """The worker has waited as long as it may. Whoever waits for an answer is told."""
    if visit.phase in (phases.BODY, phases.WAIT):
        queue.withdraw(visit)
        fail(visit, errors.FORCED_CLOSE)
    else:
        visit.transport.abort()


def broken(visit: Visit) -> bool:
    """An error of our own has come up: tell the visitor. False where it may have been answered."""
    due = visit.phase in (phases.BODY, phases.WAIT)
    if not due or visit.responding or visit.failure is not None:
        return False
    traceback.print_exc()
    queue.withdraw(visit)
    visit.closing = True
    fail(visit, errors.PLATFORM)
    return True


def close_idle(visit: Visit) -> None:
    """The worker ends, or has no room: nothing is lost by closing between two requests."""
    if visit.phase is phases.HEAD and not visit.buffer:
        hang_up(visit)


def hang_up(visit: Visit) -> None:
    """What is written still goes out; what comes in is thrown away."""
    visit.phase = phases.LINGER
    visit.transport.close()


def discard(visit: Visit) -> None:
    """Closing is to reset the connection."""
    with contextlib.suppress(OSError):
        visit.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD
        )


def _abandon(visit: Visit) -> None:
    """Let go of the app's connection: it is in the middle of something and can't be reused."""
    upstream = flight.detach(visit)
    if upstream is not None:
        upstream.drop()
    flight.leave(visit)


def _end(visit: Visit) -> None:
    """Write it down, and leave nothing of it to the next request."""
    record(visit)
    visit.failure = visit.tried = None
    visit.connect_s = 0.0
    visit.bytes_out = 0
    visit.head = visit.cookie = b""
