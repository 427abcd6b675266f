"""What heads of requests and responses share: judging field lines, token lists, lengths. Pure.

llhttp (strict) judges the lines that are passed on. Those that frame a message or speak of its
connection (Content-Length, Transfer-Encoding, Connection, Upgrade) are never passed on as they are:
each is read here by one narrow rule, so that there is nothing in them that two readers could read
differently.
"""

import re
from typing import Final

import httptools

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2
LENGTH_DIGITS_MAX: Final = 18

_NAME_SHOWN_MAX: Final = 64
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*")
_TOKEN_LIST: Final = re.compile(rb"[ \t,]*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*(?:,[ \t,]*|$))*")
NEVER_LISTED: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type"))
"""Names that `Connection` must not list: removing them would change what the message means."""

_ONCE: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))


class Malformed(Exception):
    """The lines are not RFC 9112's; the message says what is wrong, and `status` what to answer."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class _Judge:
    """An llhttp parser that sees one message without body after another, and so never ends.

    What it refuses, a new parser judges again: no message may be refused for an earlier one's sake.
    """

    __slots__ = ("_parser",)

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)

    def check(self, lines: bytes) -> None:
        message = b"GET / HTTP/1.1\r\n" + lines + b"\r\n"
        try:
            self._parser.feed_data(message)
        except httptools.HttpParserError:
            self._parser = httptools.HttpRequestParser(self)
            _judge_alone(message)


def _judge_alone(message: bytes) -> None:
    try:
        _parse(message)
    except httptools.HttpParserError as error:
        raise Malformed(f"malformed header{_which(message)}: {error}") from error


def _parse(message: bytes) -> None:
    httptools.HttpRequestParser(None).feed_data(message)


def _which(message: bytes) -> str:
    """The name of the first line that is malformed by itself, as far as it can be said."""
    start, *lines = message[:-4].split(b"\r\n")
    for line in lines:
        try:
            _parse(b"%b\r\n%b\r\n\r\n" % (start, line))
        except httptools.HttpParserError:
            name = line.partition(b":")[0][:_NAME_SHOWN_MAX]
            return f" {name.decode('latin-1').strip()}" if _TOKEN.fullmatch(name) else ""
    return ""


check: Final = _Judge().check
"""Raises Malformed unless `lines`, each with CRLF and none about framing, are well formed."""


def has_bare_ends(part: bytes) -> bool:
    """Whether a CR or LF stands alone in the beginning of a head (RFC 9112 §2.2)."""
    ends = part.count(b"\r\n")
    return part.count(b"\n") != ends or part.count(b"\r") - part.endswith(b"\r") != ends


def tokens(value: bytes) -> list[bytes]:
    """The members of a list, in lower case (RFC 9110 §5.6.1). Raises Malformed."""
    if not _TOKEN_LIST.fullmatch(value):
        raise Malformed("a list has a member that is no token")
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def again(name: bytes, earlier: bytes, value: bytes) -> bytes:
    """What two lines of one name say together (RFC 9110 §5.3). Raises Malformed."""
    if name in _ONCE:
        raise Malformed(f"more than one {name.decode().title()}")
    return together(earlier, value)


def together(earlier: bytes, value: bytes) -> bytes:
    return b"%b, %b" % (earlier, value)


def connection_options(value: bytes) -> frozenset[bytes]:
    """What Connection lists. Raises Malformed."""
    if not value:
        return frozenset()
    listed = frozenset(tokens(value))
    if listed & NEVER_LISTED:
        raise Malformed("Connection lists a header that is not its to list")
    return listed


def body_length(digits: bytes | None, coding: bytes | None, without: int) -> int:
    """RFC 9112 §6.3, and stricter: a length or a coding. `without` is for neither."""
    if coding is not None:
        if digits is not None:
            raise Malformed("both Content-Length and Transfer-Encoding")
        coding = coding.lower()
        if coding != b"chunked":
            known_form = coding.endswith(b"chunked") and b"," in coding
            raise Malformed("the only transfer coding known is chunked", 501 if known_form else 400)
        return CHUNKED
    if digits is None:
        return without
    if not digits.isdigit() or len(digits) > LENGTH_DIGITS_MAX:
        raise Malformed("Content-Length is no number of bytes")
    return int(digits)


def response_length(digits: bytes | None, coding: bytes | None, without: int) -> tuple[int, bool]:
    """RFC 9112 §6.3 for what an app says, which need not be said well: (length, whether plainly).

    There is one reading of each form that is taken, and the visitor gets it in our own framing. A
    coding stands over a length, as it does in HAProxy and nginx; lengths that are equal are one.
    """
    codings = [] if coding is None else _codings(coding)
    if codings:
        if any(each != b"chunked" for each in codings):
            raise Malformed("a transfer coding other than chunked")
        return CHUNKED, digits is None and coding is not None and coding.lower() == b"chunked"
    if digits is not None and b"," in digits:
        first, *others = (each.strip(b" \t") for each in digits.split(b","))
        if any(each != first for each in others):
            raise Malformed("more than one Content-Length")
        return body_length(first, None, without), False
    return body_length(digits, None, without), coding is None


def _codings(coding: bytes) -> list[bytes]:
    """The members of a Transfer-Encoding that change anything: `identity` never did."""
    return [each for each in tokens(coding) if each not in (b"", b"identity")]


def without_names(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Those that are passed on. What is left out is judged here: raises Malformed."""
    left = [line for line in lines if line.partition(b":")[0].lower() not in names]
    if len(left) < len(lines):
        check(b"\r\n".join(lines) + b"\r\n")
    return left
