"""The ways in which a request ends without its whole response.

fail           a failure of the app or the platform: a page, or a cut
refuse         a head that may not be forwarded
broken_body    a body that made no sense after its head was forwarded
client_gone    the visitor has left
cut_short      the worker ends before the request does
broken         an error of our own
expired        a time limit is over
too_slow       the visitor gives or takes less than the least rate
"""

import contextlib
import socket
import struct
import traceback
from time import time
from typing import TYPE_CHECKING, Final

from router.http import failures as errors
from router.http import pages
from router.http.failures import BadRequest, Failure
from router.http.request_head import UNREADABLE_FIELDS, UNREADABLE_LINE
from router.traffic import exchange, phases, waiting
from router.traffic.ledger import record

if TYPE_CHECKING:
    from router.traffic.client import Client


_DISCARD: Final = struct.pack("ii", 1, 0)
"""socket(7), SO_LINGER: closing resets the connection."""


def fail(client: "Client", failure: Failure) -> None:
    """Answer with the failure's page, or cut when part of a response is out already.

    To HTTP/1.0 a close may be the end of the body: only a reset says that it is not all.
    """
    client.failure = failure
    _abandon(client)
    if client.responding:
        end(client)
        if not client.line.minor:
            _discard(client)
        client.phase = phases.LINGER
        client.transport.abort()
        return
    if client.phase == phases.BODY or client.plane.stopping or not client.line.minor:
        client.closing = True
    client.status = failure.status
    text, client.bytes_out = pages.response(
        failure,
        client.request_id,
        pages.wants_html(client.block),
        client.line.method == b"HEAD",
        client.closing,
        time(),
        _own_page(client, failure),
    )
    client.transport.write(text)
    end(client)
    client.settled()


def _own_page(client: "Client", failure: Failure) -> bytes:
    """The app's page for what its owner has to answer for; nothing where it has none."""
    app = client.app
    if app is None or failure.status < 500:
        return b""
    return app.maintenance_page if failure is errors.MAINTENANCE else app.error_page


def refuse(client: "Client", error: BadRequest, text: bytes) -> None:
    """Where the next request would begin is unknown: answer and close.

    What the client remembers is of this request, if anything. `text` is what came of its fields:
    they may say at least whether a person asks.
    """
    client.started = time()
    client.request_id = client.plane.next_request_id()
    client.closing = True
    client.responding = False
    client.bytes_out = 0
    client.app = client.routes = None
    client.phase = phases.BODY
    if not client.line_text:
        client.line = UNREADABLE_LINE
    if not client.block:
        client.fields, client.visitor = UNREADABLE_FIELDS, client.address
        client.block = text
    fail(client, errors.restriction(error))


def broken_body(client: "Client", error: BadRequest) -> None:
    """The app has part of the request: its connection is spoilt, and so is the visitor's."""
    client.closing = True
    fail(client, errors.restriction(error))


def client_gone(client: "Client", tunnel: bool) -> None:
    """The visitor's connection is gone while a request was under way."""
    if not tunnel:
        client.failure = errors.CLIENT_INTERRUPTED
        client.status = 499
    waiting.withdraw(client)
    _abandon(client)
    end(client)


def cut_short(client: "Client") -> None:
    """The worker has waited as long as it may. Whoever waits for an answer is told."""
    if client.phase in (phases.BODY, phases.WAIT):
        waiting.withdraw(client)
        fail(client, errors.FORCED_CLOSE)
    else:
        client.transport.abort()


def broken(client: "Client") -> bool:
    """An error of our own has come up: tell the visitor. False where it may have been answered."""
    due = client.phase in (phases.BODY, phases.WAIT)
    if not due or client.responding or client.failure is not None:
        return False
    traceback.print_exc()
    waiting.withdraw(client)
    client.closing = True
    fail(client, errors.PLATFORM)
    return True


def expired(client: "Client") -> None:
    """The time limit of the client's phase is over. Called by the sweep."""
    if client.phase == phases.LINGER:
        client.transport.abort()
    elif client.phase == phases.HEAD:
        if client.buffer:
            client.forget()
            error = BadRequest(408, "the headers did not arrive in time")
            refuse(client, error, client.buffer)
        else:
            client.phase = phases.LINGER
            client.limit, client.active = client.plane.limits.linger_s, client.plane.now
            client.transport.close()
    elif waiting.withdraw(client):
        full = client.app is not None and client.app.is_reached(client.plane.now)
        fail(client, errors.REQUEST_TIMEOUT if full else errors.BOOT_TIMEOUT)
    elif client.upstream is not None and not client.upstream.open:
        upstream, client.upstream = client.upstream, None
        upstream.client = None
        exchange.connect_failed(client, upstream.instance, errors.CONNECT_TIMEOUT, busy=False)
    else:
        fail(client, _silence(client))


def too_slow(client: "Client") -> None:
    """The visitor stops us from going on. Called by the sweep.

    What waits for it is thrown away, in the kernel too: that may be megabytes.
    """
    if client.responding or client.phase == phases.LINGER:
        _discard(client)
    if client.phase == phases.LINGER:
        client.transport.abort()
    else:
        fail(client, errors.CLIENT_IDLE)


def _discard(client: "Client") -> None:
    """Closing is to reset the connection."""
    with contextlib.suppress(OSError):
        client.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD
        )


def _silence(client: "Client") -> Failure:
    """Who has kept quiet for too long."""
    if client.phase == phases.TUNNEL:
        return errors.IDLE_CONNECTION
    if client.responding:
        return errors.IDLE_CONNECTION if client.writable else errors.CLIENT_IDLE
    return errors.CLIENT_IDLE if client.phase == phases.BODY else errors.REQUEST_TIMEOUT


def _abandon(client: "Client") -> None:
    """Let go of the app's connection: it is in the middle of something and can't be reused."""
    upstream, client.upstream = client.upstream, None
    if upstream is not None:
        upstream.client = None
        upstream.drop()
    exchange.leave(client)


def end(client: "Client") -> None:
    """Write it down, and leave nothing of it to the next request."""
    record(client)
    client.failure = client.tried = None
    client.connect_s = 0.0
    client.bytes_out = 0
    client.head = client.cookie = b""
