"""Takes heads off a visitor's connection: what is repeated is recognised, all else is judged.

    take(visit, data)              one request off the data: `request` begins it, or
    refuse(visit, error, text)     it is one that may not be forwarded
    forget(visit)                  what was remembered of the last one

A browser repeats the whole field block with each request: a connection remembers the last one, and
what it makes for the app. What is judged bad is not remembered.
"""

from typing import Final

from router.http import failures, forwarded
from router.http.failures import BadRequest
from router.http.fieldlines import CHUNKED, has_bare_ends
from router.http.hop import hop
from router.http.request_head import (
    FORWARDED,
    TARGET_BYTES_MAX,
    UNREADABLE_FIELDS,
    UNREADABLE_LINE,
    request_fields,
    request_line,
    shared,
)
from router.traffic import endings, request
from router.traffic.phases import HEAD
from router.traffic.visit import Visit

_READ: Final = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port".split()
)
"""Said to the app in one form; the rest of a trusted proxy's words is passed on as it is."""
_TEXT: Final = bytes(code for code in range(256) if code >= 0x20 and code != 0x7F) + b"\t\r\n"
"""What may be in a head at all (RFC 9110 §5.5)."""


def take(visit: Visit, data: bytes) -> None:
    """One request off `data`; what follows it stays in the buffer."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _incomplete(visit, data)
        return
    line_end = data.find(b"\r\n")
    if line_end == 0:
        _after_empty_line(visit, data)
        return
    size = end + 4
    try:
        text = data[:line_end]
        block = data[line_end + 2 : size]
        if text != visit.line_text or block != visit.block:
            _read(visit, text, block)
    except BadRequest as error:
        if block != visit.block:  # that one was of an earlier request
            visit.block = b""
        refuse(visit, error, block)
        return
    try:
        request.begin(visit, data[size:] if len(data) > size else b"")
    except Exception:
        if not endings.broken(visit):
            raise


def refuse(visit: Visit, error: BadRequest, text: bytes) -> None:
    """Where the next request would begin is unknown: answer and close.

    What the visit remembers is of this request, if anything. `text` is what came of its fields:
    they may say at least whether a person asks.
    """
    request.begin_unreadable(visit)
    if not visit.line_text:
        visit.line = UNREADABLE_LINE
    if not visit.block:
        visit.fields, visit.visitor = UNREADABLE_FIELDS, visit.address
        visit.block = text
    endings.fail(visit, failures.restriction(error))


def forget(visit: Visit) -> None:
    """Drop what was remembered of the last head."""
    if visit.phase is HEAD and visit.block:
        visit.line_text = visit.block = visit.forward = visit.head = b""
        visit.line, visit.fields, visit.routes = UNREADABLE_LINE, UNREADABLE_FIELDS, None


def _after_empty_line(visit: Visit, data: bytes) -> None:
    """RFC 9112 §2.2: an empty line before the request line is ignored; more of them are not."""
    if data.startswith(b"\r\n\r\n"):
        forget(visit)
        refuse(visit, BadRequest(400, "empty lines before the request"), data)
    else:
        take(visit, data[2:])


def _read(visit: Visit, text: bytes, block: bytes) -> None:
    """Judge what differs from the head before. What is judged bad is not remembered."""
    authority = visit.line.authority
    if text != visit.line_text:
        visit.line_text = b""
        visit.line = request_line(text)
        visit.line_text = text
    if block != visit.block or visit.fields.upgrade or authority != visit.line.authority:
        _read_fields(visit, block)
    if visit.line.minor == 0 and visit.fields.length == CHUNKED:
        raise BadRequest(400, "HTTP/1.0 has no transfer coding")


def _read_fields(visit: Visit, block: bytes) -> None:
    visit.block = b""
    if len(block) > visit.worker.limits.head_bytes:
        raise BadRequest(431, "the headers are too long")
    fields = request_fields(block, visit.line.authority)
    if fields.host != visit.fields.host:
        visit.routes = None
    way = _way(visit, fields.forwarded) if visit.forwards else b""
    upgrade = b""
    if not visit.line.minor:  # RFC 9110 §7.8: HTTP/1.0 knows no upgrade
        fields.upgrade = b""
    if fields.upgrade:
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade
    visit.forward = b"%b%b%bX-Forwarded-For: %b\r\n" % (
        fields.kept,
        upgrade,
        way,
        visit.visitor,
    )
    visit.fields = shared(fields)
    visit.block = block


def _way(visit: Visit, fields: dict[bytes, bytes]) -> bytes:
    """A trusted proxy says how the visitor came: obey it; returns what else the app hears of it."""
    said = forwarded.read(fields, visit.address, visit.worker.visitors.forwards)
    visit.forwarded = said
    visit.visitor = said.address
    port, https = visit.front
    visit.https = said.scheme == b"https" if said.scheme else https
    visit.hop = hop(said.port or port, visit.https)
    lines = [b"X-Forwarded-Host: %b\r\n" % said.host] if said.host else []
    lines += [
        b"%b: %b\r\n" % (FORWARDED[name], value)
        for name, value in fields.items()
        if name not in _READ
    ]
    return b"".join(lines)


def _incomplete(visit: Visit, data: bytes) -> None:
    """A head that is not whole yet; refused as soon as nothing could make it right."""
    try:
        _judge_beginning(data, visit.worker.limits.head_bytes)
    except BadRequest as error:
        forget(visit)
        refuse(visit, error, data)
        return
    if not visit.buffer and visit.limit != visit.worker.limits.head_s:
        visit.limit, visit.active = visit.worker.limits.head_s, visit.worker.now
    visit.buffer = data


def _judge_beginning(data: bytes, bytes_max: int) -> None:
    """Raises BadRequest. The first line is judged as soon as it is whole."""
    if data.translate(None, _TEXT):
        raise BadRequest(400, "a control character")
    if has_bare_ends(data):
        raise BadRequest(400, "a line ends without CR LF")
    start = 2 if data.startswith(b"\r\n") else 0
    line, end, _ = data[start:].partition(b"\r\n")
    if end:
        request_line(line)
    elif len(line) > TARGET_BYTES_MAX + 64:
        raise BadRequest(414, "the request target is too long")
    if len(data) > bytes_max:
        raise BadRequest(431, "the headers are too long")
