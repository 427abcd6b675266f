"""A push without git: the client's side of `git-receive-pack` over HTTP (gitprotocol-http(5)).

One branch, moved forward from where it is, with the server's words as they come. What the objects
are is the matter of paas.client.objects.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from paas.client.api import Client
from paas.errors import UserError

NO_COMMIT = "0" * 40
SILENCE_S = 120.0
"""The server sends something every few seconds."""
_CAPABILITIES = "report-status side-band-64k push-options object-format=sha1 agent=paas"
_SPOOLED_BYTES = 8 * 1024 * 1024
_DATA, _PROGRESS, _ERROR = 1, 2, 3


@dataclass(frozen=True)
class Report:
    """What became of a push: `refusal` is None when the branch has moved."""

    unpacked: bool
    refusal: str | None


def branches(client: Client, app: str) -> dict[str, str]:
    """The full names of the app's refs, and what they point at. Raises UserError."""
    body = client.content(f"/{app}.git/info/refs?service=git-receive-pack")
    found = {}
    for line in _lines([body]):
        if line.startswith(b"ERR "):
            raise UserError("not_found", line[4:].decode("utf-8", "replace").strip())
        id, _, name = line.partition(b"\0")[0].strip().partition(b" ")
        if name.startswith(b"refs/"):
            found[name.decode("utf-8", "surrogateescape")] = id.decode()
    return found


class Push:
    """`Push(…).said(pack)` gives the server's words as they come; afterwards `report` is there."""

    def __init__(self, client: Client, app: str, ref: str, old: str | None, new: str) -> None:
        self._client = client
        self._app = app
        self._command = f"{old or NO_COMMIT} {new} {ref}\0{_CAPABILITIES}\n".encode()
        self.report = Report(False, "the server said nothing of it")

    def said(self, pack: BinaryIO, options: Sequence[str] = ()) -> Iterator[str]:
        """`pack` is read from its beginning. Raises UserError when the connection is lost."""
        head = _line(self._command) + b"0000"
        head += b"".join(_line(option.encode()) for option in options) + b"0000"
        length = len(head) + pack.seek(0, io.SEEK_END)
        pack.seek(0)
        answer = self._client.upload(
            f"/{self._app}.git/git-receive-pack",
            _Joined(head, pack),  # type: ignore[arg-type]
            length,
            "application/x-git-receive-pack-request",
            timeout_s=SILENCE_S,
        )
        report = bytearray()
        for packet in _lines(answer):
            band, content = packet[:1], packet[1:]
            if band == bytes((_PROGRESS,)):
                yield content.decode("utf-8", "replace")
            elif band == bytes((_DATA,)):
                report += content
            elif band == bytes((_ERROR,)):
                raise UserError("push_failed", content.decode("utf-8", "replace").strip())
        self.report = _report(list(_lines([bytes(report)])))


def spool() -> BinaryIO:
    """A file for a pack, on the disk only when it is large."""
    return tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # type: ignore[return-value]


class _Joined:
    """Bytes, then a file: what is sent piece by piece."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int) -> bytes:
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._file.read(size)


def _report(lines: Iterable[bytes]) -> Report:
    unpacked, refusal = False, None
    for line in lines:
        word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        if word == "unpack":
            unpacked = rest == "ok"
            refusal = None if unpacked else rest
        elif word == "ng" and unpacked:
            refusal = rest.partition(" ")[2] or "refused"
        elif word == "ok":
            return Report(unpacked, None)
    return Report(unpacked, refusal or "refused")


def _line(content: bytes) -> bytes:
    return b"%04x%s" % (len(content) + 4, content)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The packets of a stream that have content (gitprotocol-common(5)). Raises UserError."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= 4:
            digits = bytes(buffer[:4])
            length = int(digits, 16) if digits.isalnum() and _are_hex(digits) else -1
            if length < 0 or length == 3:
                raise UserError("bad_answer", "What answers there is no git server.")
            if length < 4:
                del buffer[:4]
            elif len(buffer) < length:
                break
            else:
                yield bytes(buffer[4:length])
                del buffer[:length]
    if buffer:
        raise UserError("connection_lost", "The connection was lost before the push had ended.")


def _are_hex(digits: bytes) -> bool:
    return all(digit in b"0123456789abcdefABCDEF" for digit in digits)
