"""Takes heads off a visitor's connection: what is repeated is recognised, all else is judged.

    take(client, data)    one request off the data; `exchange` begins it, `endings` refuses it

A browser repeats the whole field block with each request: a connection remembers the last one, and
what it makes for the app. What is judged bad is not remembered.
"""

from typing import TYPE_CHECKING, Final

from router.http import forwarded
from router.http.failures import BadRequest
from router.http.fieldlines import CHUNKED, has_bare_ends
from router.http.hop import hop
from router.http.request_head import (
    FORWARDED,
    TARGET_BYTES_MAX,
    request_fields,
    request_line,
    shared,
)
from router.traffic import endings, exchange

if TYPE_CHECKING:
    from router.traffic.client import Client

_READ: Final = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port".split()
)
"""Said to the app in one form; the rest of a trusted proxy's words is passed on as it is."""
_TEXT: Final = bytes(code for code in range(256) if code >= 0x20 and code != 0x7F) + b"\t\r\n"
"""What may be in a head at all (RFC 9110 §5.5)."""


def take(client: "Client", data: bytes) -> None:
    """One request off `data`; what follows it stays in the buffer."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _incomplete(client, data)
        return
    line_end = data.find(b"\r\n")
    if line_end == 0:
        _after_empty_line(client, data)
        return
    size = end + 4
    try:
        text = data[:line_end]
        block = data[line_end + 2 : size]
        if text != client.line_text or block != client.block:
            _read(client, text, block)
    except BadRequest as error:
        if block != client.block:  # that one was of an earlier request
            client.block = b""
        endings.refuse(client, error, block)
        return
    try:
        exchange.begin(client, data[size:] if len(data) > size else b"")
    except Exception:
        if not endings.broken(client):
            raise


def _after_empty_line(client: "Client", data: bytes) -> None:
    """RFC 9112 §2.2: an empty line before the request line is ignored; more of them are not."""
    if data.startswith(b"\r\n\r\n"):
        client.forget()
        endings.refuse(client, BadRequest(400, "empty lines before the request"), data)
    else:
        take(client, data[2:])


def _read(client: "Client", text: bytes, block: bytes) -> None:
    """Judge what differs from the head before. What is judged bad is not remembered."""
    authority = client.line.authority
    if text != client.line_text:
        client.line_text = b""
        client.line = request_line(text)
        client.line_text = text
    if block != client.block or client.fields.upgrade or authority != client.line.authority:
        _read_fields(client, block)
    if client.line.minor == 0 and client.fields.length == CHUNKED:
        raise BadRequest(400, "HTTP/1.0 has no transfer coding")


def _read_fields(client: "Client", block: bytes) -> None:
    client.block = b""
    if len(block) > client.plane.limits.head_bytes:
        raise BadRequest(431, "the headers are too long")
    fields = request_fields(block, client.line.authority)
    if fields.host != client.fields.host:
        client.routes = None
    way = _way(client, fields.forwarded) if client.forwards else b""
    upgrade = b""
    if not client.line.minor:  # RFC 9110 §7.8: HTTP/1.0 knows no upgrade
        fields.upgrade = b""
    if fields.upgrade:
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade
    client.forward = b"%b%b%bX-Forwarded-For: %b\r\n" % (
        fields.kept,
        upgrade,
        way,
        client.visitor,
    )
    client.fields = shared(fields)
    client.block = block


def _way(client: "Client", fields: dict[bytes, bytes]) -> bytes:
    """A trusted proxy says how the visitor came: obey it; returns what else the app hears of it."""
    said = forwarded.read(fields, client.address, client.plane.visitors.forwards)
    client.forwarded = said
    client.visitor = said.address
    port, https = client.front
    client.https = said.scheme == b"https" if said.scheme else https
    client.hop = hop(said.port or port, client.https)
    lines = [b"X-Forwarded-Host: %b\r\n" % said.host] if said.host else []
    lines += [
        b"%b: %b\r\n" % (FORWARDED[name], value)
        for name, value in fields.items()
        if name not in _READ
    ]
    return b"".join(lines)


def _incomplete(client: "Client", data: bytes) -> None:
    """A head that is not whole yet; refused as soon as nothing could make it right."""
    try:
        _judge_beginning(data, client.plane.limits.head_bytes)
    except BadRequest as error:
        client.forget()
        endings.refuse(client, error, data)
        return
    if not client.buffer and client.limit != client.plane.limits.head_s:
        client.limit, client.active = client.plane.limits.head_s, client.plane.now
    client.buffer = data


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
