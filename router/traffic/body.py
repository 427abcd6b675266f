"""A request's body: passed on as it comes, and held while the app can't take it.

What is held is bounded: beyond that nothing more is read from the visitor.
"""

from router.http import chunks
from router.http.failures import BadRequest
from router.http.fieldlines import CHUNKED
from router.traffic import endings
from router.traffic.phases import BODY, CLOSED, WAIT
from router.traffic.visit import Connection, Visit


def expect(visit: Visit, length: int) -> None:
    visit.phase = BODY
    visit.limit = visit.worker.limits.idle_s
    visit.body_left = length
    if length == CHUNKED:
        visit.decoder = chunks.Decoder()


def bound(visit: Visit, bytes_max: int) -> None:
    """Count a body whose length nobody has said, and break off where it gets too long."""
    visit.decoder = chunks.BoundedDecoder(bytes_max)


def pause(visit: Visit) -> None:
    """Read no more from the visitor."""
    if visit.reading and visit.phase is not CLOSED:
        visit.reading = False
        visit.transport.pause_reading()


def resume(visit: Visit) -> None:
    """Read from the visitor again."""
    if not visit.reading and visit.phase is not CLOSED:
        visit.reading = True
        visit.transport.resume_reading()


def hold(visit: Visit, data: bytes) -> None:
    visit.buffer += data
    if len(visit.buffer) > visit.worker.limits.held_bytes:
        pause(visit)


def flow(visit: Visit, upstream: Connection) -> None:
    """The app's connection is open: what was held of the body goes out, and reading goes on."""
    if visit.phase is BODY:
        held, visit.buffer = visit.buffer, b""
        if held:
            forward(visit, upstream, held)
    if visit.phase is BODY:
        resume(visit)


def forward(visit: Visit, upstream: Connection, data: bytes) -> None:
    """Part of the body goes to the app; what follows the body stays in the buffer."""
    decoder = visit.decoder
    if decoder is None:
        left = visit.body_left
        if len(data) < left:
            visit.body_left = left - len(data)
            upstream.transport.write(data)
            return
        upstream.transport.write(data[:left] if len(data) > left else data)
        _whole(visit, upstream, data[left:])
        return
    try:
        payload = decoder.feed(data)
    except BadRequest as error:
        endings.broken_body(visit, error)
        return
    if payload:
        upstream.transport.writelines((b"%x\r\n" % len(payload), payload, b"\r\n"))
    if decoder.done:
        upstream.transport.write(chunks.last(decoder.trailers))
        visit.decoder = None
        _whole(visit, upstream, decoder.rest)


def _whole(visit: Visit, upstream: Connection, rest: bytes) -> None:
    """The request is complete."""
    visit.phase = WAIT
    visit.active = visit.worker.now
    if not visit.responding:
        visit.limit = upstream.instance.first_byte_s
    if rest:
        hold(visit, rest)
