"""Heads of messages: parsed strictly, and rewritten for the next hop. Pure.

    request_line(line)        → RequestLine      RFC 9112 §3
    request_fields(block)     → RequestFields    RFC 9112 §5, §6; RFC 9110 §7.6.1
    response_head(head)       → ResponseHead

llhttp (strict) decides whether a field block is well formed; what it accepts and a proxy must not,
this module refuses. Nothing here is acted on before the whole head has been judged.
"""

import re
from dataclasses import dataclass
from typing import Final

import httptools

from router.errors import BadRequest, BadResponse

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

TARGET_BYTES_MAX = 8192
FIELDS_MAX = 200
_LENGTH_DIGITS_MAX = 18

_LINE = re.compile(rb"([A-Z][A-Z-]{0,31}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)(/[^#]*|\?[^#]*)?", re.IGNORECASE)
_HOST = re.compile(rb"([a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/,-]{20,200}")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHODS = frozenset(
    b"GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH"
    b" REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR"
    b" LINK UNLINK ACL BIND REBIND UNBIND SOURCE QUERY".split()
)
_REFUSED_METHODS = frozenset((b"CONNECT", b"TRACE"))

_DROPPED = frozenset(
    (
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate-info",
        b"http2-settings",
        b"x-request-start",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        # CGI-style apps can't tell these from the names with dashes.
        b"transfer_encoding",
        b"content_length",
        b"x_forwarded_for",
        b"x_forwarded_proto",
        b"x_forwarded_port",
        b"x_request_id",
    )
)
_READ = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"expect",
        b"te",
        b"trailer",
        b"x-forwarded-for",
        b"x-request-id",
    )
)
_SPECIAL = _DROPPED | _READ
_NEVER_LISTED = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type"))
"""Names that `Connection` must not list: removing them would change what the message means."""

_RESPONSE_SPECIAL = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"content-length",
        b"upgrade",
        b"te",
        b"trailer",
    )
)


@dataclass(frozen=True, slots=True)
class RequestLine:
    """`line` is what goes to the app; `authority` is set when the target came in absolute form."""

    method: bytes
    target: bytes
    minor: int
    line: bytes
    authority: bytes = b""


@dataclass(slots=True)
class RequestFields:
    """What the fields of a request say. `kept` are whole lines for the app, each with CRLF."""

    host: bytes = b""
    kept: bytes = b""
    length: int = 0
    close: bool = False
    keep_alive: bool = False
    upgrade: bytes = b""
    expect: bool = False
    trailers: bool = False
    forwarded_for: bytes = b""
    request_id: bytes = b""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """`kept` is the status line and the fields for the visitor, each with CRLF, without framing."""

    status: int
    kept: bytes
    length: int
    close: bool
    trailer: bytes = b""
    upgrade: bytes = b""
    framing: bytes = b""


UNREADABLE_LINE: Final = RequestLine(b"-", b"-", 1, b"")
UNREADABLE_FIELDS: Final = RequestFields(host=b"-")
"""Stand in the access line for what could not be read."""


class _Validator:
    """llhttp over field blocks. Reused only where it is certain to wait for a next message."""

    __slots__ = ("_parser",)

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)

    def check(self, block: bytes, reusable: bool) -> None:
        parser = self._parser
        try:
            parser.feed_data(b"POST / HTTP/1.1\r\n" + block)
        except httptools.HttpParserUpgrade:
            reusable = False
        except httptools.HttpParserError as error:
            self._parser = httptools.HttpRequestParser(self)
            raise BadRequest(400, f"malformed header: {error}") from error
        if not reusable:
            self._parser = httptools.HttpRequestParser(self)


_validator = _Validator()


def request_line(line: bytes) -> RequestLine:
    """Raises BadRequest with 400, 405, 414, 501 or 505."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadRequest(400, "malformed request line")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if method in _REFUSED_METHODS:
        raise BadRequest(405, f"{method.decode()} is not served")
    if method not in _METHODS:
        raise BadRequest(501, "unknown method")
    if len(target) > TARGET_BYTES_MAX:
        raise BadRequest(414, "the request target is too long")
    if b"#" in target:
        raise BadRequest(400, "a request target has no fragment")
    if target[0] == 0x2F:
        forwarded = line if minor == b"1" else b"%b %b HTTP/1.1" % (method, target)
        return RequestLine(method, target, minor[0] - 48, forwarded)
    if target == b"*" and method == b"OPTIONS":
        return RequestLine(method, target, minor[0] - 48, b"OPTIONS * HTTP/1.1")
    return _absolute(method, target, minor[0] - 48)


def _absolute(method: bytes, target: bytes, minor: int) -> RequestLine:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadRequest(400, "the request target is neither a path nor an absolute address")
    authority, path = match[1], match[2] or b"/"
    if path[0] != 0x2F:
        path = b"/" + path
    return RequestLine(method, path, minor, b"%b %b HTTP/1.1" % (method, path), authority.lower())


def request_fields(block: bytes) -> RequestFields:
    """`block` is what follows the request line, with the empty line. Raises BadRequest."""
    if block == b"\r\n":
        raise BadRequest(400, "Host is missing")
    lines = block[:-4].split(b"\r\n")
    if len(lines) > FIELDS_MAX:
        raise BadRequest(431, "too many headers")
    kept, special = [], []
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _SPECIAL:
            special.append((name, value.strip(b" \t"), line))
        else:
            kept.append(line)
    fields = RequestFields()
    listed = frozenset[bytes]()
    plain = all(
        name not in (b"connection", b"upgrade", b"content-length", b"transfer-encoding")
        for name, _, _ in special
    )
    _validator.check(block, plain)
    if not plain:
        listed = _listed(special)
    for name, value, line in special:
        _read(fields, name, value, line, kept, listed)
    _settle(fields, listed)
    if listed:
        kept = [line for line in kept if line.partition(b":")[0].lower() not in listed]
    fields.kept = b"\r\n".join(kept) + b"\r\n"
    return fields


def _read(
    fields: RequestFields,
    name: bytes,
    value: bytes,
    line: bytes,
    kept: list[bytes],
    listed: frozenset[bytes],
) -> None:
    if name == b"host":
        if fields.host:
            raise BadRequest(400, "more than one Host")
        fields.host = host(value)
        kept.insert(0, b"Host: " + value)
    elif name == b"content-length":
        if fields.length:
            raise BadRequest(400, "more than one body length")
        fields.length = _length(value)
        kept.append(line)
    elif name == b"transfer-encoding":
        fields.length = _coding(value)
        kept.append(b"Transfer-Encoding: chunked")
    elif name == b"expect":
        if value.lower() != b"100-continue":
            raise BadRequest(417, "the only expectation known is 100-continue")
        fields.expect = True
        kept.append(line)
    elif name == b"upgrade":
        fields.upgrade = b"%b, %b" % (fields.upgrade, value) if fields.upgrade else value
    elif name == b"te":
        fields.trailers |= b"trailers" in _tokens(value)
    elif name == b"trailer":
        kept.append(line)
    elif name == b"x-forwarded-for":
        earlier = fields.forwarded_for
        fields.forwarded_for = b"%b, %b" % (earlier, value) if earlier else value
    elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
        fields.request_id = value


def _settle(fields: RequestFields, listed: frozenset[bytes]) -> None:
    """What only all fields together decide."""
    if not fields.host:
        raise BadRequest(400, "Host is missing")
    fields.close = b"close" in listed
    fields.keep_alive = b"keep-alive" in listed
    wanted = fields.upgrade.lower()
    if b"upgrade" not in listed or fields.length or wanted.startswith(b"h2c"):
        fields.upgrade = b""
    if b"te" not in listed:
        fields.trailers = False


def _listed(special: list[tuple[bytes, bytes, bytes]]) -> frozenset[bytes]:
    tokens = frozenset(
        token for name, value, _ in special if name == b"connection" for token in _tokens(value)
    )
    if tokens & _NEVER_LISTED:
        raise BadRequest(400, "Connection lists a header that is not its to list")
    return tokens


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip(b" \t").lower() for token in value.split(b",")]


def host(value: bytes) -> bytes:
    """The name in a Host field, in lower case and without port or trailing dot."""
    match = _HOST.fullmatch(value.lower())
    if match is None:
        raise BadRequest(400, "Host is no host name")
    name = match[1]
    return name[:-1] if name.endswith(b".") else name


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > _LENGTH_DIGITS_MAX:
        raise BadRequest(400, "Content-Length is no number of bytes")
    return int(value)


def _coding(value: bytes) -> int:
    if value.lower() != b"chunked":
        raise BadRequest(501, "the only transfer coding known is chunked")
    return CHUNKED


def response_head(head: bytes) -> ResponseHead:
    """`head` is a status line and fields, with the empty line. Raises BadResponse."""
    lines = head[:-4].split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise BadResponse("malformed status line")
    status = int(match[2])
    parser = httptools.HttpResponseParser(None)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise BadResponse(f"malformed header: {error}") from error
    kept, special = [b"HTTP/1.1" + lines[0][8:]], []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _RESPONSE_SPECIAL:
            special.append((name, value.strip(b" \t")))
        else:
            kept.append(line)
    return _response(status, match[1] == b"0", kept, special)


def _response(
    status: int, old: bool, kept: list[bytes], special: list[tuple[bytes, bytes]]
) -> ResponseHead:
    length, framing, trailer, upgrade = UNTIL_CLOSE, b"", b"", b""
    listed = frozenset(
        token for name, value in special if name == b"connection" for token in _tokens(value)
    )
    for name, value in special:
        if name == b"content-length":
            if not value.isdigit() or len(value) > _LENGTH_DIGITS_MAX:
                raise BadResponse("Content-Length is no number of bytes")
            length, framing = int(value), b"Content-Length: %b\r\n" % value
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked" or old:
                raise BadResponse("the only transfer coding known is chunked")
            length = CHUNKED
        elif name == b"trailer":
            trailer = b"Trailer: %b\r\n" % value
        elif name == b"upgrade":
            upgrade = value
    custom = listed - _NEVER_LISTED
    if custom:
        kept[1:] = [line for line in kept[1:] if line.partition(b":")[0].lower() not in custom]
    close = b"close" in listed or (old and b"keep-alive" not in listed)
    text = b"\r\n".join(kept) + b"\r\n"
    return ResponseHead(status, text, length, close, trailer, upgrade, framing)
