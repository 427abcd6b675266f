"""What becomes of a visit when a time limit is over. Found by the sweep."""

from router.http import failures as errors
from router.http.failures import BadRequest, Failure
from router.traffic import endings, flight, intake, phases, queue, retries
from router.traffic.visit import Visit


def expired(visit: Visit) -> None:
    """The time limit of the visit's phase is over."""
    if visit.phase is phases.LINGER:
        visit.transport.abort()
    elif visit.phase is phases.HEAD:
        if visit.buffer:
            intake.forget(visit)
            error = BadRequest(408, "the headers did not arrive in time")
            intake.refuse(visit, error, visit.buffer)
        else:
            visit.limit, visit.active = visit.worker.limits.linger_s, visit.worker.now
            endings.hang_up(visit)
    elif queue.withdraw(visit):
        full = visit.app is not None and visit.app.is_reached
        endings.fail(visit, errors.REQUEST_TIMEOUT if full else errors.BOOT_TIMEOUT)
    elif visit.upstream is not None and not visit.upstream.open:
        instance = visit.upstream.instance
        flight.detach(visit)
        retries.connect_failed(visit, instance, errors.CONNECT_TIMEOUT, busy=False)
    else:
        endings.fail(visit, _silence(visit))


def too_slow(visit: Visit) -> None:
    """The visitor stops us from going on.

    What waits for it is thrown away, in the kernel too: that may be megabytes.
    """
    if visit.responding or visit.phase is phases.LINGER:
        endings.discard(visit)
    if visit.phase is phases.LINGER:
        visit.transport.abort()
    else:
        endings.fail(visit, errors.CLIENT_IDLE)


def _silence(visit: Visit) -> Failure:
    """Who has kept quiet for too long."""
    if visit.phase is phases.TUNNEL:
        return errors.IDLE_CONNECTION
    if visit.responding:
        return errors.IDLE_CONNECTION if visit.writable else errors.CLIENT_IDLE
    return errors.CLIENT_IDLE if visit.phase is phases.BODY else errors.REQUEST_TIMEOUT
