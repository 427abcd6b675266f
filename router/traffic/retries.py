"""A request that an instance has not answered is given away once more, where that is safe.

    connect_failed    nothing was sent: any request may go on to another instance
    gone              the app closed without a word
    strand            the machine has ended

RFC 9110 §9.2.2: what was sent may be sent again only if it is idempotent, and here only without a
body.
"""

from typing import Final

from router.choice.instances import Instance
from router.http import failures as errors
from router.http.failures import Failure
from router.traffic import endings, flight, request, waiting
from router.traffic.visit import Connection, Visit

_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


def connect_failed(visit: Visit, instance: Instance, failure: Failure, busy: bool) -> None:
    """No connection could be made: nothing was sent, so another instance may try any request.

    A Unix socket that refuses says that its machine is not there, and so does the node's word: the
    request waits until it is, as it waits for one that is busy.
    """
    worker = visit.worker
    flight.detach(visit)
    flight.leave(visit)
    tried = _tried(visit)
    tried.add(instance)
    app = visit.app
    if app is None:
        endings.fail(visit, failure)
        return
    if not busy:
        instance.failed_to_connect(worker.now)
        app.refresh(worker.now)
        worker.ejecting.add(app)
    if len(tried) < worker.limits.attempts and any(each not in tried for each in app.ready):
        request.send(visit, app)
    elif busy or not instance.up or (failure is errors.CONNECTION_REFUSED and not instance.tcp):
        tried.clear()
        waiting.unavailable(visit, app, busy=busy)
    else:
        endings.fail(visit, failure)


def gone(visit: Visit, upstream: Connection) -> None:
    """The app closed before a byte of response."""
    if not _again(visit, upstream):
        endings.fail(visit, errors.CLOSED_WITHOUT_RESPONSE)


def _again(visit: Visit, upstream: Connection) -> bool:
    """Give the request away once more where that is safe.

    RFC 9110 §9.2.2: only what is idempotent, and here only without a body. The instance may have
    died of the request, or be dying: one other that is ready gets it, and no third, or one request
    could end them all. Where there is no other, a pooled connection was closed for its age most
    likely: the same instance gets the request on a new one, or when it is up again.
    """
    instance = visit.instance
    app = visit.worker.routes.find(visit.fields.host)
    if instance is None or app is None or not _is_safe(visit) or upstream.interims:
        return False
    tried = _tried(visit)
    if not visit.moved and any(each is not instance and each not in tried for each in app.ready):
        visit.moved = True
        tried.add(instance)
    elif not upstream.reused:
        return False
    elif instance.up and not instance.retired:
        request.connect(visit, instance)
        return True
    _give_away(visit)
    return True


def strand(visit: Visit) -> None:
    """The machine of the request's instance has ended, and no byte of a response has come.

    What it had read ends by itself. The rest waits in a queue that nobody reads, or at an address
    that is gone: it is given away where that is safe, because it may be read after all when the
    machine is back.
    """
    upstream = visit.upstream
    if upstream is None or upstream.has_news():
        return
    flight.detach(visit)
    upstream.drop()
    if upstream.instance.tcp is None and _is_safe(visit):
        _tried(visit)
        _give_away(visit)
    else:
        gone(visit, upstream)


def _is_safe(visit: Visit) -> bool:
    return visit.line.method in _IDEMPOTENT and not visit.fields.length


def _tried(visit: Visit) -> set[Instance]:
    """The instances that the request is not given to again."""
    if visit.tried is None:
        visit.tried, visit.moved = set(), False
    return visit.tried


def _give_away(visit: Visit) -> None:
    """To whichever instance is ready, or it waits."""
    flight.detach(visit)
    flight.leave(visit)
    request.resume(visit)
