"""Heads of responses: parsed strictly, and rewritten for the visitor. Pure.

response_head(head) → ResponseHead     RFC 9112 §4, §5, §6; RFC 9110 §7.6.1
"""

import re
from typing import Final

from router.errors import BadResponse
from router.fieldlines import (
    UNTIL_CLOSE,
    Malformed,
    again,
    body_length,
    check,
    connection_options,
    tokens,
    without_names,
)

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
_PLAIN: Final = bytes(range(0x20, 0x7F))
"""Characters of which a value may consist that need no judge."""
_SPECIAL: Final = frozenset(
    b"connection keep-alive proxy-connection transfer-encoding content-length upgrade te"
    b" trailer".split()
)


class ResponseHead:
    """`kept` is the status line and the fields for the visitor, each with CRLF, without framing.

    `whole` is the same with the line of its counted length and the empty line: what most get.
    """

    __slots__ = ("close", "framing", "kept", "length", "status", "trailer", "upgrade", "whole")

    def __init__(self, status: int, kept: bytes, length: int, framing: bytes, close: bool) -> None:
        self.status = status
        self.kept = kept
        self.length = length
        self.framing = framing
        self.close = close
        self.whole = b"%b%b\r\n" % (kept, framing)
        self.trailer = b""
        self.upgrade = b""


def response_head(head: bytes) -> ResponseHead:
    """`head` is a status line and fields, with the empty line. Raises BadResponse."""
    lines = head[:-4].split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise BadResponse("malformed status line")
    kept = []
    special: dict[bytes, bytes] = {}
    try:
        for line in lines[1:]:
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
        return _response(lines[0], match, kept, special)
    except Malformed as error:
        raise BadResponse(error.reason) from error


def _response(
    line: bytes, match: re.Match[bytes], kept: list[bytes], special: dict[bytes, bytes]
) -> ResponseHead:
    old = match[1] == b"0"
    connection = special.pop(b"connection", b"")
    close = old and connection != b"keep-alive"
    if connection and connection != b"keep-alive":
        options = connection_options(connection)
        close = b"close" in options or (old and b"keep-alive" not in options)
        kept = without_names(kept, options)
    coding = special.pop(b"transfer-encoding", None)
    if old and coding is not None:
        raise Malformed("HTTP/1.0 has no transfer coding")
    length = body_length(special.pop(b"content-length", None), coding, without=UNTIL_CLOSE)
    text = b"\r\n".join(kept) + b"\r\n" if kept else b""
    check(text)
    response = ResponseHead(
        int(match[2]),
        b"%b\r\n%b" % (b"HTTP/1.1" + line[8:] if old else line, text),
        length,
        b"Content-Length: %d\r\n" % length if length >= 0 else b"",
        close,
    )
    keep_alive = special.get(b"keep-alive")
    if keep_alive is not None and not keep_alive.translate(None, _PLAIN):
        del special[b"keep-alive"]
    if special:
        _read_rest(response, special)
    return response


def _read_rest(response: ResponseHead, special: dict[bytes, bytes]) -> None:
    connection_options(special.pop(b"proxy-connection", b""))
    response.upgrade = special.pop(b"upgrade", b"")
    if response.upgrade:
        tokens(response.upgrade.replace(b"/", b""))
    check(b"".join(b"%b: %b\r\n" % pair for pair in special.items()))
    if b"trailer" in special:
        response.trailer = b"Trailer: %b\r\n" % special[b"trailer"]
