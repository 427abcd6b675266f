"""One request and its response, from the choice of an instance to the line in the log.

    begin → send → (connect) → start … the upstream reads the response … → finish
                 ↘ wait in the app's queue                             ↘ fail

State lives on the Client (one request at a time), so that a request costs no object, task or timer.
"""

from time import time
from typing import TYPE_CHECKING

from router import balance, chunks, errors, pages
from router.accesslog import quoted
from router.counters import BYTES_OUT, HISTOGRAM, QUEUED, ROUTER_ERRORS, SERVICE_US, STATUS, bucket
from router.errors import BadRequest, Failure
from router.fieldlines import CHUNKED
from router.request_head import UNREADABLE_FIELDS, UNREADABLE_LINE

if TYPE_CHECKING:
    from router.balance import App, Instance
    from router.client import Client
    from router.upstream import Upstream

_HEAD, _BODY, _WAIT, _TUNNEL, _LINGER = range(5)  # client.HEAD and so on
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
UNROUTED_LOG = "unrouted"
"""The log of requests that belong to no app."""


def begin(client: "Client", rest: bytes) -> None:
    """A whole, well-formed head has come; `rest` is what followed it."""
    plane = client.plane
    fields = client.fields
    line = client.line
    client.started = now = time()
    client.request_id = fields.request_id or plane.next_request_id()
    client.closing = fields.close or (not line.minor and not fields.keep_alive) or plane.stopping
    client.responding = client.retried = False
    client.status = client.bytes_out = 0
    client.connect_s = 0.0
    client.tried = client.failure = None
    client.buffer = rest
    client.active = plane.now
    if fields.length:
        client.phase = _BODY
        client.body_left = fields.length
        client.limit = plane.limits.idle_s
        if fields.length == CHUNKED:
            client.decoder = chunks.Decoder()
    else:
        client.phase = _WAIT
        client.limit = plane.limits.first_byte_s
    if client.routes is not plane.routes:
        client.routes = plane.routes
        client.app = plane.routes.find(fields.host)
    app = client.app
    if app is None:
        fail(client, errors.NO_SUCH_APP)
    elif app.maintenance:
        fail(client, errors.MAINTENANCE)
    else:
        client.head = b"%b\r\n%bX-Request-Id: %b\r\nX-Request-Start: %d\r\n\r\n" % (
            line.text,
            client.forward,
            client.request_id,
            now * 1000,
        )
        send(client, app)


def send(client: "Client", app: "App") -> None:
    """Give the request to the best instance that has not failed it yet, or let it wait."""
    ready = app.ready
    if client.tried:
        ready = [instance for instance in ready if instance not in client.tried]
    if not ready:
        _unavailable(client, app)
        return
    plane = client.plane
    instance = balance.pick(ready, plane.counters, plane.rows)
    client.instance = instance
    plane.counters.cells[instance.cell] += 1
    idle = instance.idle
    while idle:
        upstream = idle.pop()
        if upstream.open:
            start(client, upstream)
            return
    _connect(client, instance)


def start(client: "Client", upstream: "Upstream") -> None:
    """Write the request on an open connection."""
    upstream.client = client
    client.upstream = upstream
    upstream.transport.write(client.head)
    if client.phase == _BODY:
        client.flow()


def connected(client: "Client", upstream: "Upstream") -> None:
    """A new connection is open."""
    now = client.plane.now
    client.connect_s = time() - client.started
    upstream.instance.connected()
    client.active = now
    limits = client.plane.limits
    client.limit = limits.idle_s if client.phase == _BODY else limits.first_byte_s
    start(client, upstream)


def connect_failed(client: "Client", instance: "Instance", failure: Failure, busy: bool) -> None:
    """No connection could be made: nothing was sent, so another instance may try any request."""
    plane = client.plane
    client.upstream = None
    _leave(client)
    if not busy:
        instance.failed_to_connect(plane.now)
    tried = client.tried = client.tried or set()
    tried.add(instance)
    app = client.app
    if app is None:
        fail(client, failure)
        return
    app.refresh(plane.now)
    plane.ejecting.add(app)
    if len(tried) < plane.limits.attempts and any(each not in tried for each in app.ready):
        send(client, app)
    elif busy:
        client.tried = None
        _wait(client, app)
    else:
        fail(client, failure)


def stale(client: "Client", upstream: "Upstream") -> bool:
    """A pooled connection closed before a byte of response: try once more where that is safe.

    RFC 9110 §9.2.2: only what is idempotent, and here only without a body.
    """
    instance = client.instance
    safe = client.line.method in _IDEMPOTENT and not client.fields.length
    if client.retried or not safe or instance is None or not upstream.reused:
        return False
    client.retried = True
    client.upstream = None
    _connect(client, instance)
    return True


def _connect(client: "Client", instance: "Instance") -> None:
    from router.upstream import Upstream

    plane = client.plane
    if client.phase == _BODY:
        client.pause_reading()
    client.limit, client.active = plane.limits.connect_s, plane.now
    upstream = Upstream(plane, instance)
    upstream.client = client
    client.upstream = upstream
    plane.start_task(upstream.connect())


def _unavailable(client: "Client", app: "App") -> None:
    if app.state == "blank":
        fail(client, errors.BLANK_APP)
    elif app.state == "crashed":
        fail(client, errors.APP_CRASHED)
    elif not app.instances:
        client.plane.wanted(app)
        fail(client, errors.NO_WEB_INSTANCES)
    else:
        _wait(client, app)


def _wait(client: "Client", app: "App") -> None:
    """Into the app's queue, until an instance is up."""
    plane = client.plane
    if len(app.waiting) >= balance.QUEUE_MAX:
        fail(client, errors.BACKLOG_TOO_DEEP)
        return
    if client.phase == _BODY:
        client.pause_reading()
    client.limit, client.active = plane.limits.queue_s, plane.now
    app.waiting.append(client)
    plane.queued.add(app)
    plane.counters.cells[app.cell + QUEUED] = len(app.waiting)


def release(app: "App") -> None:
    """Requests that waited get an instance, or the answer that fits what the app is now."""
    waiting = list(app.waiting)
    app.waiting.clear()
    for client in waiting:
        plane = client.plane
        plane.counters.cells[app.cell + QUEUED] = 0
        client.routes, client.app = plane.routes, plane.routes.find(client.fields.host)
        if client.app is None:
            fail(client, errors.NO_SUCH_APP)
        else:
            client.limit, client.active = plane.limits.first_byte_s, plane.now
            send(client, client.app)


def finish(client: "Client", upstream: "Upstream", reusable: bool) -> None:
    """The response is complete and written."""
    client.upstream = upstream.client = None
    instance = upstream.instance
    if reusable and client.phase == _WAIT and not instance.retired:
        upstream.idle_since = client.plane.now
        upstream.reused = True
        instance.idle.append(upstream)
    else:
        upstream.drop()
    _leave(client)
    record(client)
    client.settled()


def fail(client: "Client", failure: Failure) -> None:
    """The request ends here: with a page, or with a cut when part of a response is out already."""
    client.failure = failure
    _abandon(client)
    if client.responding:
        record(client)
        client.phase = _LINGER
        client.transport.abort()
        return
    if client.phase == _BODY:
        client.closing = True
    if client.plane.stopping:
        client.closing = True
    text, client.bytes_out = pages.response(
        failure,
        client.request_id,
        b"text/html" in client.block,
        client.line.method == b"HEAD",
        client.closing,
    )
    client.status = failure.status
    client.transport.write(text)
    record(client)
    client.settled()


def refuse(client: "Client", error: BadRequest) -> None:
    """A head that may not be forwarded. Where the next request would begin is unknown: close."""
    client.started = time()
    client.request_id = client.plane.next_request_id()
    client.connect_s = 0.0
    client.responding = False
    client.closing = True
    client.app = client.routes = client.instance = None
    client.phase = _BODY
    if client.line_text == b"":
        client.line = UNREADABLE_LINE
    if client.block == b"":
        client.fields = UNREADABLE_FIELDS
    fail(client, errors.restriction(error))


def broken_body(client: "Client", error: BadRequest) -> None:
    """The head was forwarded, then the body made no sense: the app's connection is spoilt."""
    client.closing = True
    fail(client, errors.restriction(error))


def tunnel(client: "Client", upstream: "Upstream") -> None:
    """Both ends agreed on another protocol. The request is in flight until one end closes."""
    client.phase = _TUNNEL
    client.limit, client.active = client.plane.limits.idle_s, client.plane.now
    held, client.buffer = client.buffer, b""
    if held:
        upstream.transport.write(held)
    client.resume_reading()


def tunnel_ended(client: "Client") -> None:
    client.upstream = None
    _leave(client)
    record(client)
    client.phase = _LINGER
    client.transport.close()


def expired(client: "Client") -> None:
    """The time limit of the client's phase is over. Called by the sweep."""
    if client.phase == _LINGER:
        client.transport.abort()
    elif client.phase == _HEAD:
        if client.buffer:
            refuse(client, BadRequest(408, "the headers did not arrive in time"))
        else:
            client.transport.close()
    elif client.app is not None and client in client.app.waiting:
        client.app.waiting.remove(client)
        client.plane.counters.cells[client.app.cell + QUEUED] = len(client.app.waiting)
        fail(client, errors.BOOT_TIMEOUT)
    elif client.upstream is not None and not client.upstream.open:
        upstream, client.upstream = client.upstream, None
        upstream.client = None
        connect_failed(client, upstream.instance, errors.CONNECT_TIMEOUT, busy=False)
    else:
        fail(client, _silence(client))


def _silence(client: "Client") -> Failure:
    """Who has kept quiet for too long."""
    if client.phase == _TUNNEL:
        return errors.IDLE_CONNECTION
    if client.responding:
        return errors.IDLE_CONNECTION if client.writable else errors.CLIENT_IDLE
    return errors.CLIENT_IDLE if client.phase == _BODY else errors.REQUEST_TIMEOUT


def client_gone(client: "Client", tunnel: bool) -> None:
    """The visitor's connection is gone while a request was under way."""
    if not tunnel:
        client.failure = errors.CLIENT_INTERRUPTED
        client.status = 499
    if client.app is not None and client in client.app.waiting:
        client.app.waiting.remove(client)
        client.plane.counters.cells[client.app.cell + QUEUED] = len(client.app.waiting)
    _abandon(client)
    record(client)


def _abandon(client: "Client") -> None:
    """Let go of the app's connection: it is in the middle of something and can't be reused."""
    upstream, client.upstream = client.upstream, None
    if upstream is not None:
        upstream.client = None
        upstream.drop()
    _leave(client)


def _leave(client: "Client") -> None:
    instance, client.instance = client.instance, None
    if instance is None:
        return
    cells = client.plane.counters.cells
    cells[instance.cell] -= 1
    client.dyno = instance.name
    if instance.waiting_for_drain and not cells[instance.cell]:
        client.plane.drained(instance)


def record(client: "Client") -> None:
    """Count the request, and write its line."""
    plane, app, failure = client.plane, client.app, client.failure
    now = time()
    service_s = max(now - client.started - client.connect_s, 0.0)
    if app is not None:
        cells, cell = plane.counters.cells, app.cell
        microseconds = int(service_s * 1_000_000)
        cells[cell] += 1
        cells[cell + STATUS + client.status // 100] += 1
        cells[cell + BYTES_OUT] += client.bytes_out
        cells[cell + SERVICE_US] += microseconds
        cells[cell + HISTOGRAM + bucket(microseconds)] += 1
        if failure is not None:
            cells[cell + ROUTER_ERRORS] += 1
    log = plane.log
    line = client.line
    target = line.target
    if b'"' in target or b"\\" in target:
        target = quoted(target)
    log.add(
        UNROUTED_LOG if app is None else app.id,
        b'%b heroku[router]: at=%b method=%b path="%b" host=%b request_id=%b fwd="%b" dyno=%b'
        b" connect=%dms service=%dms status=%d bytes=%d protocol=http\n"
        % (
            log.stamp(now),
            b"info"
            if failure is None
            else b'error code=%b desc="%b"'
            % (failure.code.encode(), quoted(failure.description.encode())),
            line.method,
            target,
            client.fields.host,
            client.request_id,
            client.forwarded_for,
            client.dyno,
            client.connect_s * 1000,
            service_s * 1000,
            client.status,
            client.bytes_out,
        ),
    )
    client.dyno = b""
