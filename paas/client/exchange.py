"""HTTP/1.1 (RFC 9112) in the clear, as far as the command needs it: on the platform's own host.

http.client understands more, and takes a third of the command's whole time to load; it serves where
TLS does (paas.client.encrypted). The names are its own, so that a connection is either.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from typing import BinaryIO

_LINE_BYTES_MAX = 64 * 1024
_HEADERS_MAX = 100
_PIECE_BYTES = 64 * 1024
_WITH_BODY = ("POST", "PUT", "PATCH")
"""They say that they have none (RFC 9110, 8.6)."""
_CUT_OFF = "the answer breaks off"


class Exchange:
    """Requests and answers, one after the other; `dial` makes the connection. Whatever fails is an
    OSError."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, host: str, dial: Callable[[float | None], socket.socket]) -> None:
        """`host`: what the field of that name says."""
        self._host = host
        self._dial = dial
        self._asked = ""
        self._reader: BufferedReader | None = None
        self.timeout: float | None = None
        self.sock: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self._dial(self.timeout)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self.sock is not None:
            self.sock.close()
        self.sock, self._reader = None, None

    def request(
        self, method: str, target: str, body: bytes | BinaryIO | None, headers: Mapping[str, str]
    ) -> None:
        """`headers` hold the length of a body that is a file."""
        assert self.sock is not None
        fields = {"Host": self._host, "Accept-Encoding": "identity", **headers}
        if isinstance(body, bytes) or (body is None and method in _WITH_BODY):
            fields["Content-Length"] = str(len(body or b""))
        start = _head(method, target, fields)
        self._asked = method
        if body is None or isinstance(body, bytes):
            self.sock.sendall(start + (body or b""))
            return
        self.sock.sendall(start)
        while piece := body.read(_PIECE_BYTES):
            self.sock.sendall(piece)

    def getresponse(self) -> "Answer":
        """Its head. A connection that ends with the body is the answer's alone."""
        assert self.sock is not None
        if self._reader is None:
            self._reader = self.sock.makefile("rb")
        answer = Answer(self._reader, self._asked)
        if not answer.keeps_connection:
            self._reader = None
            self.close()
        return answer


class Answer:
    """`status`, `headers` (their names in any case), and a body; `length` is what is left of it, or
    None where only its end tells."""

    def __init__(self, reader: BufferedReader, method: str) -> None:
        self._reader = reader
        version, self.status = _status(reader)
        while 100 <= self.status < 200:
            Fields(reader)
            version, self.status = _status(reader)
        self.headers = Fields(reader)
        self.length: int | None = None
        bodiless = self.status in (204, 304) or method == "HEAD"
        chunked = not bodiless and self.headers.get("Transfer-Encoding").lower() == "chunked"
        length = "0" if bodiless else self.headers.get("Content-Length")
        if length and not chunked:
            self.length = _number(length, 10)
        self.keeps_connection = (
            (chunked or self.length is not None)
            and version != "HTTP/1.0"
            and self.headers.get("Connection").lower() != "close"
        )
        self._pieces = self._chunks() if chunked else self._plain()

    def read(self) -> bytes:
        """All that is left."""
        body = b"".join(self._pieces)
        if self.length:
            raise ConnectionError(_CUT_OFF)
        return body

    def read1(self) -> bytes:
        """What has come; nothing at the end, or where it breaks off and `length` is left."""
        return next(self._pieces, b"")

    def _plain(self) -> Iterator[bytes]:
        while self.length != 0:
            most = _PIECE_BYTES if self.length is None else min(self.length, _PIECE_BYTES)
            piece = self._reader.read1(most)
            if not piece:
                return
            if self.length is not None:
                self.length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        """RFC 9112, 7.1; extensions and trailers mean nothing to us."""
        while left := _number(_line(self._reader).partition(";")[0], 16):
            while left:
                piece = self._reader.read1(min(left, _PIECE_BYTES))
                if not piece:
                    raise ConnectionError(_CUT_OFF)
                left -= len(piece)
                yield piece
            if _line(self._reader):
                raise ConnectionError("a chunk is longer than it says")
        Fields(self._reader)


class Fields:
    """The fields of a head or a trailer."""

    def __init__(self, reader: BufferedReader) -> None:
        self._values: dict[str, str] = {}
        for _ in range(_HEADERS_MAX):
            line = _line(reader)
            if not line:
                return
            name, _, value = line.partition(":")
            self._values.setdefault(name.lower(), value.strip())
        raise ConnectionError(f"the answer has more than {_HEADERS_MAX} fields")

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name.lower(), default)


def unix_dial(path: str) -> Callable[[float | None], socket.socket]:
    """To a socket of this host."""

    def dial(timeout_s: float | None) -> socket.socket:
        with contextlib.ExitStack() as until_connected:
            made = until_connected.enter_context(socket.socket(socket.AF_UNIX))
            made.settimeout(timeout_s)
            made.connect(path)
            until_connected.pop_all()
        return made

    return dial


def _head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """No value may end its line: what follows would be a field of its own."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any(ord(sign) < 32 or ord(sign) == 127 for line in lines for sign in line):
        raise ConnectionError("a control character in the head of a request")
    if " " in target:
        raise ConnectionError(f"a space in the path {target!r}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace")


def _status(reader: BufferedReader) -> tuple[str, int]:
    version, _, rest = _line(reader).partition(" ")
    if not version.startswith("HTTP/1."):
        raise ConnectionError(f"no answer in HTTP/1.1: {version[:40]!r}")
    return version, _number(rest.partition(" ")[0], 10)


def _number(text: str, base: int) -> int:
    text = text.strip()
    if not text.isascii() or not text.isalnum():
        raise ConnectionError(f"a length or status that is no number: {text[:40]!r}")
    try:
        return int(text, base)
    except ValueError as error:
        raise ConnectionError(f"a length or status that is no number: {text[:40]!r}") from error


def _line(reader: BufferedReader) -> str:
    line = reader.readline(_LINE_BYTES_MAX)
    if not line.endswith(b"\n"):
        raise ConnectionError("a line is too long" if line else _CUT_OFF)
    return line.rstrip(b"\r\n").decode("latin-1")
