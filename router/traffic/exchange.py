"""One request and its response: the way that goes well.

    begin → route → send → (connect →) start … the upstream reads the response … → finish
                      ↘ waiting                                                ↘ endings

The state of a request is on its Client (one request at a time), so that it costs no object, no
task and no timer. Between requests a client has no failure, nothing tried, no connect time.
"""

from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Final

from router.choice.gate import Gate
from router.choice.instances import pick
from router.choice.steering import Chooser
from router.http import chunks, trace
from router.http import failures as errors
from router.http.failures import Failure
from router.http.fieldlines import CHUNKED
from router.traffic import answers, endings, phases, waiting
from router.traffic.ledger import record
from router.traffic.upstream import Upstream

if TYPE_CHECKING:
    from router.choice.apps import App
    from router.choice.instances import Instance
    from router.traffic.client import Client

_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


def begin(client: "Client", rest: bytes) -> None:
    """A whole, well-formed head has come; `rest` is what followed it."""
    plane = client.plane
    fields = client.fields
    line = client.line
    client.started = now = time()
    client.request_id = request_id = fields.request_id or plane.next_request_id()
    client.requests_left = left = client.requests_left - 1
    client.closing = (
        fields.close or plane.stopping or not left or not (line.minor or fields.keep_alive)
    )
    client.responding = False
    client.bytes_out = 0
    client.buffer = rest
    client.active = plane.now
    if fields.length:
        _expect_body(client, fields.length)
    else:
        client.phase = phases.WAIT
    client.head = b"%b\r\n%b%bX-Request-Id: %b\r\nX-Request-Start: %d\r\n\r\n" % (
        line.text,
        client.forward,
        client.hop,
        request_id,
        now * 1000,
    )
    if plane.challenges and line.target in plane.challenges:
        answers.challenge(client, plane.challenges[line.target])
    elif client.routes is plane.routes and client.app is not None and client.app.open:
        send(client, client.app)
    else:
        route(client, first=True)


def _expect_body(client: "Client", length: int) -> None:
    client.phase = phases.BODY
    client.limit = client.plane.limits.idle_s
    client.body_left = length
    if length == CHUNKED:
        client.decoder = chunks.Decoder()


def route(client: "Client", first: bool = False) -> None:
    """Find the app by the table in force. A request passes its app's gate the `first` time."""
    client.routes = routes = client.plane.routes
    client.app = app = routes.find(client.fields.host)
    if app is None:
        endings.fail(client, errors.NO_SUCH_APP if routes.version else errors.NO_TABLE)
    elif app.redirects and not client.https and answers.knows_https(client):
        answers.redirect(client)
    elif app.maintenance:
        endings.fail(client, errors.MAINTENANCE)
    elif first and app.gate is not None:
        _pass(client, app, app.gate)
    else:
        send(client, app)


def _pass(client: "Client", app: "App", gate: Gate) -> None:
    """Through the app's gate, or not."""
    length = client.fields.length
    failure = gate.refusal(client.visitor, length, client.plane.counters.buckets)
    if failure is not None:
        endings.fail(client, failure)
        return
    if gate.body_bytes_max and length == CHUNKED:
        client.decoder = chunks.BoundedDecoder(gate.body_bytes_max)
    if gate.trace:
        client.head = trace.traced(client.head, client.block)
    send(client, app)


def send(client: "Client", app: "App") -> None:
    """Give the request to the best instance that has not failed it yet, or let it wait."""
    ready = app.ready
    if client.tried:
        ready = [instance for instance in ready if instance not in client.tried]
    if not ready:
        waiting.unavailable(client, app)
        return
    plane = client.plane
    counters = plane.counters
    if app.chooser is None:
        instance = ready[0] if len(ready) == 1 else pick(ready, counters, plane.rows)
        counters.cells[instance.cell] += 1
        give(client, instance)
        return
    chooser = app.chooser
    if chooser.in_turn and counters.queued(app.slot, plane.rows):
        taken = None
    else:
        taken = choose(client, chooser, ready)
    if taken is not None:
        give(client, taken)
        return
    if client.tried:
        client.tried = set()
    waiting.wait(client, app)


def choose(client: "Client", chooser: Chooser, ready: Sequence["Instance"]) -> "Instance | None":
    """The instance where the request is counted as in flight now; None: it has to wait.

    What was promised for an instance that failed is forgotten.
    """
    plane = client.plane
    taken = chooser.take(client.block, client.visitor, ready, plane.counters, plane.rows)
    if taken is None:
        client.cookie = b""
        return None
    instance, client.cookie = taken
    if client.cookie:
        _forget_heads(instance)
    return instance


def _forget_heads(instance: "Instance") -> None:
    """The response is to give a cookie: a head that a connection remembers has none."""
    for upstream in reversed(instance.idle):
        upstream.memo = None
        if upstream.open:
            break


def give(client: "Client", instance: "Instance") -> None:
    """Send the request to an instance where it is counted as in flight already."""
    client.instance = instance
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
    if client.phase == phases.BODY:
        client.limit = upstream.instance.rolling_s
        client.flow()
    else:
        client.limit = upstream.instance.first_byte_s


def _connect(client: "Client", instance: "Instance") -> None:
    plane = client.plane
    if client.phase == phases.BODY:
        client.pause_reading()
    client.limit, client.active = plane.limits.connect_s, plane.now
    upstream = Upstream(plane, instance)
    upstream.client = client
    client.upstream = upstream
    plane.start_task(upstream.connect())


def connected(client: "Client", upstream: "Upstream") -> None:
    """A new connection is open."""
    client.connect_s = time() - client.started
    upstream.instance.connected()
    client.active = client.plane.now
    start(client, upstream)


def connect_failed(client: "Client", instance: "Instance", failure: Failure, busy: bool) -> None:
    """No connection could be made: nothing was sent, so another instance may try any request.

    A Unix socket that refuses says that its machine is not there, and so does the node's word: the
    request waits until it is, as it waits for one that is busy.
    """
    plane = client.plane
    client.upstream = None
    leave(client)
    tried = _tried(client)
    tried.add(instance)
    app = client.app
    if app is None:
        endings.fail(client, failure)
        return
    if not busy:
        instance.failed_to_connect(plane.now)
        app.refresh(plane.now)
        plane.ejecting.add(app)
    if len(tried) < plane.limits.attempts and any(each not in tried for each in app.ready):
        send(client, app)
    elif busy or not instance.up or (failure is errors.CONNECTION_REFUSED and not instance.tcp):
        tried.clear()
        waiting.unavailable(client, app, busy=busy)
    else:
        endings.fail(client, failure)


def again(client: "Client", upstream: "Upstream") -> bool:
    """The app closed before a byte of response: give the request away once more where that is safe.

    RFC 9110 §9.2.2: only what is idempotent, and here only without a body. The instance may have
    died of the request, or be dying: one other that is ready gets it, and no third, or one request
    could end them all. Where there is no other, a pooled connection was closed for its age most
    likely: the same instance gets the request on a new one, or when it is up again.
    """
    instance = client.instance
    app = client.plane.routes.find(client.fields.host)
    if instance is None or app is None or not _is_safe(client) or upstream.interims:
        return False
    tried = _tried(client)
    if not client.moved and any(each is not instance and each not in tried for each in app.ready):
        client.moved = True
        tried.add(instance)
    elif not upstream.reused:
        return False
    elif instance.up and not instance.retired:
        _connect(client, instance)
        return True
    _give_away(client)
    return True


def strand(client: "Client") -> None:
    """The machine of the request's instance has ended, and no byte of a response has come.

    What it had read ends by itself. The rest waits in a queue that nobody reads, or at an address
    that is gone: it is given away where that is safe, because it may be read after all when the
    machine is back.
    """
    upstream = client.upstream
    if upstream is None or upstream.has_news():
        return
    upstream.client = None
    upstream.drop()
    if upstream.instance.tcp is None and _is_safe(client):
        _tried(client)
        _give_away(client)
    elif not again(client, upstream):
        endings.fail(client, errors.CLOSED_WITHOUT_RESPONSE)


def _is_safe(client: "Client") -> bool:
    return client.line.method in _IDEMPOTENT and not client.fields.length


def _tried(client: "Client") -> "set[Instance]":
    """The instances that the request is not given to again."""
    if client.tried is None:
        client.tried, client.moved = set(), False
    return client.tried


def _give_away(client: "Client") -> None:
    """To whichever instance is ready, or it waits."""
    client.upstream = None
    client.active = client.plane.now
    leave(client)
    route(client)


def finish(client: "Client", upstream: "Upstream", reusable: bool) -> None:
    """The response is complete and written."""
    client.upstream = upstream.client = None
    instance = upstream.instance
    if reusable and client.phase == phases.WAIT and not instance.retired:
        upstream.idle_since = client.plane.now
        upstream.interims = 0
        upstream.reused = True
        if not upstream.reading:  # its last write was one too many for the visitor
            upstream.resume_reading()
        instance.idle.append(upstream)
    else:
        upstream.drop()
    leave(client)
    record(client)
    client.connect_s = 0.0
    client.tried = None
    client.head = client.request_id = b""
    client.settled()


def leave(client: "Client") -> None:
    """The request is no longer in flight at its instance."""
    instance = client.instance
    if instance is None:
        return
    client.instance = None
    client.dyno = instance.name
    cells = client.plane.counters.cells
    cells[instance.cell] -= 1
    if instance.watched:
        waiting.left(client.plane, instance)


def tunnel(client: "Client", upstream: "Upstream") -> None:
    """Both ends agreed on another protocol. The request is in flight until one end closes."""
    client.phase = phases.TUNNEL
    client.limit, client.active = upstream.instance.rolling_s, client.plane.now
    held, client.buffer = client.buffer, b""
    if held:
        upstream.transport.write(held)
    client.resume_reading()


def tunnel_ended(client: "Client") -> None:
    client.upstream = None
    leave(client)
    record(client)
    client.phase = phases.LINGER
    client.transport.close()
