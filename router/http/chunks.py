"""Chunked transfer coding (RFC 9112 §7.1), read strictly of visitors.

A Decoder turns bytes off the wire into payload, and says where the message ends. Extensions are
checked and dropped: the next hop gets chunks of our own making, so that both hops agree
on every byte.
"""

import re

from router.http.failures import BadRequest

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (_TOKEN, _TOKEN, _QUOTED)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:%b)*" % _EXTENSION)
_SIZE_OF_APPS = re.compile(rb"0*([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
_FORBIDDEN_TRAILERS = frozenset(
    b"transfer-encoding content-length host connection te trailer upgrade keep-alive authorization"
    b" set-cookie cookie cache-control content-encoding content-type content-range expect"
    b" max-forwards x-forwarded-for x-forwarded-proto x-forwarded-port x-request-id".split()
)
LINE_BYTES_MAX = 1024
TRAILERS_BYTES_MAX = 8192
LAST = b"0\r\n\r\n"
TOO_LARGE = "the body is larger than this app takes"

_AT_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILERS, _DONE = range(5)


class Decoder:
    """`feed` returns payload; `done` is True after the last chunk, `rest` is what followed it."""

    __slots__ = ("_buffer", "_left", "_phase", "_trailers_bytes", "done", "rest", "trailers")
    _size = _SIZE

    def __init__(self) -> None:
        self._phase = _AT_SIZE
        self._left = 0
        self._buffer = b""
        self._trailers_bytes = 0
        self.trailers: list[bytes] = []
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`. Raises BadRequest(400) at what is not chunked coding."""
        if self._phase == _IN_DATA and len(data) < self._left:
            self._left -= len(data)
            return data
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        parts = []
        at = 0
        while not self.done:
            if self._phase == _IN_DATA:
                part = data[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                parts.append(part)
                if self._left:
                    break
                self._phase = _AFTER_DATA
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep(data[at:])
                break
            self._line(data[at:end])
            at = end + 2
        if self.done:
            self.rest = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _keep(self, start: bytes) -> None:
        """Part of a line; refused as soon as no end of it could make it right."""
        if len(start) > LINE_BYTES_MAX or b"\n" in start:
            raise BadRequest(400, "malformed chunk")
        if self._phase == _AFTER_DATA and start not in (b"", b"\r"):
            raise BadRequest(400, "a chunk is longer than its size")
        self._buffer = start

    def _line(self, line: bytes) -> None:
        if self._phase == _AT_SIZE:
            match = self._size.fullmatch(line)
            if match is None or len(line) > LINE_BYTES_MAX:
                raise BadRequest(400, "malformed chunk size")
            self._left = int(match[1], 16)
            self._phase = _IN_DATA if self._left else _IN_TRAILERS
        elif self._phase == _AFTER_DATA:
            if line:
                raise BadRequest(400, "a chunk is longer than its size")
            self._phase = _AT_SIZE
        elif line:
            self._trailer(line)
        else:
            self.done = True
            self._phase = _DONE

    def _trailer(self, line: bytes) -> None:
        self._trailers_bytes += len(line)
        if self._trailers_bytes > TRAILERS_BYTES_MAX or not _TRAILER.fullmatch(line):
            raise BadRequest(400, "malformed trailer")
        if line.partition(b":")[0].lower() not in _FORBIDDEN_TRAILERS:
            self.trailers.append(line)


class ResponseDecoder(Decoder):
    """As apps may write it: spaces behind a size, zeros before it, extensions that are none.

    How long a chunk is can't be read in two ways for that, and nothing of the line is passed on.
    """

    __slots__ = ()
    _size = _SIZE_OF_APPS


class BoundedDecoder(Decoder):
    """Takes so many bytes of payload and no more."""

    __slots__ = ("_room",)

    def __init__(self, bytes_max: int) -> None:
        super().__init__()
        self._room = bytes_max

    def feed(self, data: bytes) -> bytes:
        """As `Decoder.feed`. Raises BadRequest(413) at what is too large."""
        payload = super().feed(data)
        self._room -= len(payload)
        if self._room < 0:
            raise BadRequest(413, TOO_LARGE)
        return payload


def last(trailers: list[bytes]) -> bytes:
    """The last chunk, with these trailers."""
    if not trailers:
        return LAST
    return b"0\r\n%b\r\n\r\n" % b"\r\n".join(trailers)
