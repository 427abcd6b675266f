"""Heads of requests: parsed strictly, and rewritten for the app. Pure.

    request_line(line)      → RequestLine      RFC 9112 §3
    request_fields(block)   → RequestFields    RFC 9112 §5, §6; RFC 9110 §7.6.1

The objects are made for each request whose head differs from the one before: plain slots, because
a frozen dataclass takes a microsecond to make.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Final

from router.http.failures import BadRequest
from router.http.fieldlines import (
    Malformed,
    again,
    body_length,
    check,
    connection_options,
    tokens,
    without_names,
)

TARGET_BYTES_MAX: Final = 8192
FIELDS_MAX: Final = 200
_HOSTS_KNOWN_MAX: Final = 4096

_LINE = re.compile(rb"([A-Z][A-Z-]{0,31}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)(/[^#]*|\?[^#]*)?", re.IGNORECASE)
_HOST = re.compile(rb"([a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{0,5}))?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/,-]{20,200}")
_TARGET_CHARACTERS = bytes(code for code in range(0x21, 0x7F) if code != 0x23)
_METHODS: Final = {
    method: method
    for method in (
        b"GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH MKCOL COPY MOVE LOCK"
        b" UNLOCK SEARCH REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE"
        b" UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK ACL BIND REBIND UNBIND SOURCE QUERY"
    ).split()
}
"""To themselves, so that all connections share the few that there are."""
_REFUSED_METHODS = frozenset((b"CONNECT", b"TRACE"))

FORWARDED: Final = {
    name.lower(): name
    for name in (
        b"Forwarded X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port"
        b" X-Forwarded-Protocol X-Forwarded-Scheme X-Forwarded-Ssl X-Forwarded-Server"
        b" X-Forwarded-By X-Forwarded-Prefix X-Forwarded-Client-Cert X-Forwarded-Tls-Client-Cert"
        b" X-Forwarded-Tls-Client-Cert-Info X-Real-Ip"
    ).split()
}
"""What proxies say of the way that a request came; nobody else's word for it reaches an app."""


def _spellings(name: bytes) -> Iterator[bytes]:
    """CGI-style apps take `_` and `-` in a name for the same."""
    for joints in itertools.product(b"-_", repeat=name.count(b"-")):
        marks = iter(joints)
        yield bytes(next(marks) if code == ord("-") else code for code in name)


_OURS: Final = (*FORWARDED, b"x-request-id", b"x-request-start")
_SPECIAL = frozenset(
    b"host connection proxy-connection content-length transfer-encoding upgrade te expect"
    # Dropped: of this hop, or (with underscores) the same name to CGI-style apps.
    b" keep-alive http2-settings transfer_encoding content_length".split()
).union(*map(_spellings, _OURS))


class RequestLine:
    """`text` is what goes to the app; `authority` is set when the target came in absolute form."""

    __slots__ = ("authority", "method", "minor", "target", "text")

    def __init__(
        self, method: bytes, target: bytes, minor: int, text: bytes, authority: bytes = b""
    ) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.text = text
        self.authority = authority


class RequestFields:
    """What the fields of a request say. `kept` are whole lines for the app, each with CRLF.

    `forwarded` are those in FORWARDED, by their name in lower case: for who knows whom to trust.
    """

    __slots__ = (
        "close",
        "forwarded",
        "host",
        "keep_alive",
        "kept",
        "length",
        "request_id",
        "trailers",
        "upgrade",
    )

    def __init__(self, host: bytes = b"") -> None:
        self.host = host
        self.kept = b""
        self.length = 0
        self.close = False
        self.keep_alive = False
        self.upgrade = b""
        self.trailers = False
        self.forwarded: dict[bytes, bytes] = _NOTHING
        self.request_id = b""


_NOTHING: Final[dict[bytes, bytes]] = {}
UNREADABLE_LINE: Final = RequestLine(b"-", b"-", 1, b"")
UNREADABLE_FIELDS: Final = RequestFields(host=b"-")
"""Stand in the access line for what could not be read."""

_hosts_known: dict[bytes, bytes] = {}
_shared: dict[tuple[bytes, bool], RequestFields] = {}


def request_line(line: bytes) -> RequestLine:
    """Raises BadRequest with 400, 405, 414, 501 or 505."""
    word, _, rest = line.partition(b" ")
    method = _METHODS.get(word)
    if method and rest.endswith(b" HTTP/1.1") and rest.startswith(b"/"):
        target = rest[:-9]
        if not target.translate(None, _TARGET_CHARACTERS) and len(target) <= TARGET_BYTES_MAX:
            return RequestLine(method, target, 1, line)
    return _unusual_line(line)


def _unusual_line(line: bytes) -> RequestLine:
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
    authority = b""
    if not target.startswith(b"/") and (target != b"*" or method != b"OPTIONS"):
        authority, target = _absolute(target)
    return RequestLine(method, target, int(minor), b"%b %b HTTP/1.1" % (method, target), authority)


def _absolute(target: bytes) -> tuple[bytes, bytes]:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadRequest(400, "the request target is neither a path nor an absolute address")
    path = match[2] or b"/"
    return match[1].lower(), path if path.startswith(b"/") else b"/" + path


def request_fields(block: bytes, authority: bytes = b"") -> RequestFields:
    """`block` is what follows the request line, with the empty line. Raises BadRequest.

    `authority` is that of a request target in absolute form: it counts, whatever Host says
    (RFC 9112 §3.2.2).
    """
    lines = block[:-4].split(b"\r\n")
    if len(lines) > FIELDS_MAX:
        raise BadRequest(431, "too many headers")
    kept = []
    special: dict[bytes, bytes] = {}
    try:
        for line in lines:
            name, colon, value = line.partition(b":")
            name = name.lower()
            if name not in _SPECIAL:
                kept.append(line)
            elif not colon:
                raise Malformed("a header has no colon")
            elif name in special:
                special[name] = again(name, special[name], value.strip(b" \t"))
            else:
                special[name] = value.strip(b" \t")
        return _fields(kept, special, authority)
    except Malformed as error:
        raise BadRequest(error.status, error.reason) from error


def _fields(kept: list[bytes], special: dict[bytes, bytes], authority: bytes) -> RequestFields:
    fields = RequestFields()
    name = special.pop(b"host", None)
    if name is None:
        raise Malformed("Host is missing")
    fields.host = _hosts_known.get(name) or host(name)
    if authority:
        name = authority
        fields.host = host(name)
    kept.insert(0, b"Host: " + (name[:-1] if name.endswith(b":") else name))
    framing = b""
    connection = special.get(b"connection")
    if connection == b"keep-alive" or connection == b"close":
        del special[b"connection"]
        fields.keep_alive = connection == b"keep-alive"
        fields.close = not fields.keep_alive
    if special:
        kept = _read_connection(fields, special, kept)
        framing = _read_framing(fields, special)
        if special:
            _read_rest(fields, special, kept)
    text = b"\r\n".join(kept) + b"\r\n"
    check(text)
    fields.kept = text + framing if framing else text
    return fields


def shared(fields: RequestFields) -> RequestFields:
    """What the fields say without the lines that are kept: for most one object a host.

    An idle connection remembers it, and there are many of them.
    """
    fields.kept = b""
    fields.forwarded = _NOTHING
    if fields.close or fields.length or fields.upgrade or fields.trailers:
        return fields
    if fields.request_id:
        return fields
    if len(_shared) >= _HOSTS_KNOWN_MAX:
        _shared.clear()
    return _shared.setdefault((fields.host, fields.keep_alive), fields)


def _read_connection(
    fields: RequestFields, special: dict[bytes, bytes], kept: list[bytes]
) -> list[bytes]:
    """Returns the lines that Connection does not keep for this hop."""
    connection_options(special.pop(b"proxy-connection", b""))
    options = connection_options(special.pop(b"connection", b""))
    fields.close |= b"close" in options
    fields.keep_alive |= b"keep-alive" in options
    trailers = special.pop(b"te", b"")
    upgrade = special.get(b"upgrade", b"")
    if trailers or upgrade:  # they are judged also where nothing comes of them
        check(b"TE: %b\r\nUpgrade: %b\r\n" % (trailers, upgrade))
        # Many do not list TE in Connection; they can read trailers all the same.
        fields.trailers = b"trailers" in map(bytes.strip, trailers.lower().split(b","))
    if b"upgrade" not in options:
        special.pop(b"upgrade", None)
    return without_names(kept, options) if options else kept


def _read_framing(fields: RequestFields, special: dict[bytes, bytes]) -> bytes:
    """Returns the line that says to the app how long the body is."""
    digits = special.pop(b"content-length", None)
    fields.length = body_length(digits, special.pop(b"transfer-encoding", None), without=0)
    upgrade = special.pop(b"upgrade", b"")
    if upgrade and not fields.length:
        fields.upgrade = _upgrade(upgrade)
    if fields.length < 0:
        return b"Transfer-Encoding: chunked\r\n"
    return b"" if digits is None else b"Content-Length: %d\r\n" % fields.length


def _read_rest(fields: RequestFields, special: dict[bytes, bytes], kept: list[bytes]) -> None:
    check(b"".join(b"%b: %b\r\n" % pair for pair in special.items()))
    forwarded = {name: value for name, value in special.items() if name in FORWARDED}
    if forwarded:
        fields.forwarded = forwarded
    request_id = special.get(b"x-request-id", b"")
    if _REQUEST_ID.fullmatch(request_id):
        fields.request_id = request_id
    expectation = special.get(b"expect")
    if expectation is not None:
        if expectation.lower() != b"100-continue":
            raise Malformed("the only expectation known is 100-continue", 417)
        kept.append(b"Expect: 100-continue")


def _upgrade(wanted: bytes) -> bytes:
    """The protocols to change to; HTTP/2 is not spoken here (RFC 9110 §7.8)."""
    return b"" if b"h2c" in tokens(wanted.replace(b"/", b"")) else wanted


def host(value: bytes) -> bytes:
    """The name in a Host field, in lower case and without port or final dot. Raises BadRequest.

    A port may be empty (RFC 3986 §3.2.3).
    """
    match = _HOST.fullmatch(value.lower())
    if match is None:
        raise BadRequest(400, "Host is no host name")
    name = match[1].removesuffix(b".")
    if len(_hosts_known) >= _HOSTS_KNOWN_MAX:
        _hosts_known.clear()
    _hosts_known[value] = name
    return name
