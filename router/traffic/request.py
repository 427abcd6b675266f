"""One request and its response: the way that goes well.

    begin → route → send → (connect →) start … the upstream reads the response … → finish
                      ↘ waiting              ↘ retries                           ↘ endings

The state of a request is on its visit (one request at a time), so that it costs no object, no task
and no timer.
"""

from collections.abc import Sequence
from time import time

from router.choice.apps import App
from router.choice.gate import Gate
from router.choice.instances import Instance, pick
from router.choice.steering import Chooser
from router.http import failures as errors
from router.http import trace
from router.http.fieldlines import CHUNKED
from router.traffic import answers, body, endings, flight, phases, waiting
from router.traffic.record import record
from router.traffic.upstream import Upstream
from router.traffic.visit import Connection, Visit


def begin(visit: Visit, rest: bytes) -> None:
    """A whole, well-formed head has come; `rest` is what followed it."""
    worker = visit.worker
    fields = visit.fields
    line = visit.line
    visit.started = now = time()
    visit.request_id = request_id = fields.request_id or worker.next_request_id()
    visit.requests_left = left = visit.requests_left - 1
    visit.closing = (
        fields.close or worker.stopping or not left or not (line.minor or fields.keep_alive)
    )
    visit.responding = False
    visit.bytes_out = 0
    visit.buffer = rest
    visit.active = worker.now
    if fields.length:
        body.expect(visit, fields.length)
    else:
        visit.phase = phases.WAIT
    visit.head = b"%b\r\n%b%bX-Request-Id: %b\r\nX-Request-Start: %d\r\n\r\n" % (
        line.text,
        visit.forward,
        visit.hop,
        request_id,
        now * 1000,
    )
    if worker.challenges and line.target in worker.challenges:
        visit.app = visit.routes = None
        answers.challenge(visit, worker.challenges[line.target])
    elif visit.routes is worker.routes and visit.app is not None and visit.app.open:
        send(visit, visit.app)
    else:
        route(visit, first=True)


def begin_unreadable(visit: Visit) -> None:
    """One whose head says nothing that counts: nobody knows whose it is, nor where it ends."""
    visit.started = time()
    visit.request_id = visit.worker.next_request_id()
    visit.closing = True
    visit.responding = False
    visit.bytes_out = 0
    visit.app = visit.routes = None
    visit.phase = phases.BODY


def route(visit: Visit, first: bool = False) -> None:
    """Find the app by the table in force. A request passes its app's gate the `first` time."""
    visit.routes = routes = visit.worker.routes
    visit.app = app = routes.find(visit.fields.host)
    if app is None:
        endings.fail(visit, errors.NO_SUCH_APP if routes.version else errors.NO_TABLE)
    elif app.redirects and not visit.https and answers.knows_https(visit):
        answers.redirect(visit)
    elif app.maintenance:
        endings.fail(visit, errors.MAINTENANCE)
    elif first and app.gate is not None:
        _pass_gate(visit, app, app.gate)
    else:
        send(visit, app)


def resume(visit: Visit) -> None:
    """The request has waited, or is given away once more."""
    visit.active = visit.worker.now
    route(visit)


def _pass_gate(visit: Visit, app: App, gate: Gate) -> None:
    """What the app has asked of each request comes first."""
    length = visit.fields.length
    failure = gate.refusal(visit.visitor, length, visit.worker.counters.buckets)
    if failure is not None:
        endings.fail(visit, failure)
        return
    if gate.body_bytes_max and length == CHUNKED:
        body.bound(visit, gate.body_bytes_max)
    if gate.trace:
        visit.head = trace.traced(visit.head, visit.block)
    send(visit, app)


def send(visit: Visit, app: App) -> None:
    """Give the request to the best instance that has not failed it yet, or let it wait."""
    ready = app.ready
    if visit.tried:
        ready = [instance for instance in ready if instance not in visit.tried]
    if not ready:
        waiting.unavailable(visit, app)
        return
    worker = visit.worker
    counters = worker.counters
    if app.chooser is None:
        instance = ready[0] if len(ready) == 1 else pick(ready, counters, worker.rows)
        counters.cells[instance.cell] += 1
        give(visit, instance)
        return
    chooser = app.chooser
    if chooser.in_turn and counters.queued(app.slot, worker.rows):
        taken = None
    else:
        taken = choose(visit, chooser, ready)
    if taken is not None:
        give(visit, taken)
        return
    if visit.tried:
        visit.tried.clear()
    waiting.wait(visit, app)


def choose(visit: Visit, chooser: Chooser, ready: Sequence[Instance]) -> Instance | None:
    """The instance where the request is counted as in flight now; None: it has to wait.

    What was promised for an instance that failed is forgotten.
    """
    worker = visit.worker
    taken = chooser.take(visit.block, visit.visitor, ready, worker.counters, worker.rows)
    if taken is None:
        visit.cookie = b""
        return None
    instance, visit.cookie = taken
    if visit.cookie:
        _forget_heads(instance)
    return instance


def _forget_heads(instance: Instance) -> None:
    """The response is to give a cookie: a head that a connection remembers has none."""
    idle: list[Connection] = instance.idle
    for upstream in reversed(idle):
        upstream.forget_head()
        if upstream.open:
            break


def give(visit: Visit, instance: Instance) -> None:
    """Send the request to an instance where it is counted as in flight already."""
    visit.instance = instance
    idle: list[Connection] = instance.idle
    while idle:
        upstream = idle.pop()
        if upstream.open:
            start(visit, upstream)
            return
    connect(visit, instance)


def start(visit: Visit, upstream: Connection) -> None:
    """Write the request on an open connection."""
    upstream.visit = visit
    visit.upstream = upstream
    upstream.transport.write(visit.head)
    if visit.phase is phases.BODY:
        visit.limit = upstream.instance.rolling_s
        body.flow(visit, upstream)
    else:
        visit.limit = upstream.instance.first_byte_s


def connect(visit: Visit, instance: Instance) -> None:
    """A new connection for the request."""
    worker = visit.worker
    if visit.phase is phases.BODY:
        body.pause(visit)
    visit.limit, visit.active = worker.limits.connect_s, worker.now
    upstream = Upstream(worker, instance)
    upstream.visit = visit
    visit.upstream = upstream
    worker.start_task(upstream.connect())


def connected(visit: Visit, upstream: Connection) -> None:
    """A new connection is open."""
    visit.connect_s = time() - visit.started
    upstream.instance.connected()
    visit.active = visit.worker.now
    start(visit, upstream)


def finish(visit: Visit, upstream: Connection, reusable: bool) -> None:
    """The response is complete and written."""
    visit.upstream = upstream.visit = None
    instance = upstream.instance
    if reusable and visit.phase is phases.WAIT and not instance.retired:
        upstream.idle_since = visit.worker.now
        upstream.interims = 0
        upstream.reused = True
        if not upstream.reading:  # its last write was one too many for the visitor
            upstream.resume_reading()
        instance.idle.append(upstream)
    else:
        upstream.drop()
    flight.leave(visit)
    record(visit)
    visit.connect_s = 0.0
    visit.tried = None
    visit.head = visit.request_id = b""
    visit.settled()


def tunnel(visit: Visit, upstream: Connection) -> None:
    """Both ends agreed on another protocol. The request is in flight until one end closes."""
    visit.phase = phases.TUNNEL
    visit.limit, visit.active = upstream.instance.rolling_s, visit.worker.now
    held, visit.buffer = visit.buffer, b""
    if held:
        upstream.transport.write(held)
    body.resume(visit)


def tunnel_ended(visit: Visit) -> None:
    flight.detach(visit)
    flight.leave(visit)
    record(visit)
    endings.hang_up(visit)
