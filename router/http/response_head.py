"""Heads of responses: parsed, and rewritten for the visitor. Pure.

response_head(head) → ResponseHead     RFC 9112 §4, §5, §6; RFC 9110 §7.6.1

Strict in what reaches the visitor. Lines that end here (of framing and of the connection) may be
said badly where they can be read in one way only: the connection is then not used again.
"""

import re
from typing import Final

from router.http.failures import BadResponse
from router.http.fieldlines import (
    NEVER_LISTED,
    UNTIL_CLOSE,
    Malformed,
    check,
    response_length,
    together,
    tokens,
    without_names,
)

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
SWITCHING_PROTOCOLS: Final = 101
UPGRADE_REQUIRED: Final = 426
"""RFC 9110 §15.5.22: it names the protocols that it asks for, to the visitor."""
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
                special[name] = together(special[name], value.strip(b" \t"))
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
        options, clear = _options(connection)
        close = not clear or b"close" in options or (old and b"keep-alive" not in options)
        kept = without_names(kept, options)
    coding = special.pop(b"transfer-encoding", None)
    digits = special.pop(b"content-length", None)
    length, plain = response_length(digits, coding, without=UNTIL_CLOSE)
    close |= not plain or (old and coding is not None)
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


def _options(connection: bytes) -> tuple[frozenset[bytes], bool]:
    """What Connection lists of what it may list, and whether it is a list at all."""
    check(b"Connection: %b\r\n" % connection)
    try:
        return frozenset(tokens(connection)) - NEVER_LISTED, True
    except Malformed:
        return frozenset(), False


def _read_rest(response: ResponseHead, special: dict[bytes, bytes]) -> None:
    check(b"".join(b"%b: %b\r\n" % pair for pair in special.items()))
    if b"upgrade" in special:
        _read_upgrade(response, special[b"upgrade"])
    if b"trailer" in special:
        response.trailer = b"Trailer: %b\r\n" % special[b"trailer"]


def _read_upgrade(response: ResponseHead, upgrade: bytes) -> None:
    """What else than 101 and 426 offers is of this hop only. HTTP/2 is not spoken here."""
    if response.status not in (SWITCHING_PROTOCOLS, UPGRADE_REQUIRED):
        return
    listed = tokens(upgrade.replace(b"/", b""))
    response.upgrade = upgrade
    if response.status == UPGRADE_REQUIRED and b"h2c" not in listed:
        response.kept += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
        response.whole = b"%b%b\r\n" % (response.kept, response.framing)
