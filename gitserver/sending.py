"""The job `fetch`: answers one `git-upload-pack` request (gitprotocol-pack(5), gitprotocol-v2(5)).

Runs in a child process (gitserver.jobserver), because walking a history and packing it in Python
takes time that belongs to others. Stateless: each request says all that it has again.
"""

from collections.abc import Callable
from typing import Any

from dulwich.repo import Repo

from gitserver import references
from gitserver.faults import Fault
from gitserver.objects.history import Boundary, History
from gitserver.objects.packing import write_pack
from gitserver.protocol import packets
from gitserver.protocol.negotiation import FetchRequest, parse_v0, parse_v2

Write = Callable[[bytes], None]
_BUFFER_BYTES = 64 * 1024


def send_pack(request: dict[str, Any], payload: bytes, write: Write) -> None:
    """`request`: repository, version (0 or 2), hidden (prefixes), knows_boundary (of version 0:
    whether the client was told on this connection). Writes the response's body.
    """
    with Repo(request["repository"], bare=True) as repository:
        hidden = tuple(request["hidden"])
        try:
            if request["version"] == 2:
                _answer_v2(repository, hidden, payload, write)
            else:
                known = request["knows_boundary"]
                _answer_v0(repository, hidden, parse_v0(payload), write, knows_boundary=known)
        except (Fault, packets.PacketError) as fault:
            write(packets.error(str(fault)))


def _answer_v2(repository: Repo, hidden: tuple[str, ...], payload: bytes, write: Write) -> None:
    command = parse_v2(payload)
    if command.name == b"ls-refs":
        write(references.list_v2(repository, hidden, command.arguments))
        return
    if command.name != b"fetch":
        raise Fault("there is no such command")
    request = command.fetch()
    history = _history(repository, hidden, request)
    if not request.done:
        ready = history.reach(request.wants)
        write(packets.encode(b"acknowledgments\n"))
        for have in history.common:
            write(packets.encode(b"ACK %s\n" % have))
        if not history.common:
            write(packets.encode(b"NAK\n"))
        if not ready:
            write(packets.FLUSH)
            return
        write(packets.encode(b"ready\n") + packets.DELIMITER)
    boundary = _boundary(history, request)
    if request.depth or history.begins:
        write(packets.encode(b"shallow-info\n"))
        write(b"".join(map(packets.encode, boundary.lines)) + packets.DELIMITER)
    write(packets.encode(b"packfile\n"))
    _pack(repository, hidden, request, history, boundary, write)


def _answer_v0(
    repository: Repo,
    hidden: tuple[str, ...],
    request: FetchRequest,
    write: Write,
    *,
    knows_boundary: bool,
) -> None:
    if not request.wants:
        return
    history = _history(repository, hidden, request)
    boundary = _boundary(history, request)
    if request.depth and not knows_boundary:
        write(b"".join(map(packets.encode, boundary.lines)) + packets.FLUSH)
        if not request.haves and not request.done:
            # The client only asked for its new boundary, and asks again with what it has.
            return
    if not _acknowledge(request, history, write):
        return
    _pack(repository, hidden, request, history, boundary, write)


def _boundary(history: History, request: FetchRequest) -> Boundary:
    if not request.depth:
        return history.boundary(request.wants)
    if request.deepen_relative:
        return history.deepened(request.wants, request.depth)
    return history.at_depth(request.wants, request.depth)


def _acknowledge(request: FetchRequest, history: History, write: Write) -> bool:
    """The ACK and NAK lines of upload-pack.c's get_common_commits(); whether a pack follows."""
    common = history.common
    if b"multi_ack_detailed" not in request.capabilities:
        write(packets.encode(b"ACK %s\n" % common[0] if common else b"NAK\n"))
        return request.done
    for have in common:
        write(packets.encode(b"ACK %s common\n" % have))
    if not request.done:
        ready = history.reach(request.wants)
        if ready:
            write(packets.encode(b"ACK %s ready\n" % common[-1]))
        write(packets.encode(b"NAK\n"))
        if not (ready and b"no-done" in request.capabilities):
            return False
    write(packets.encode(b"ACK %s\n" % common[-1] if common else b"NAK\n"))
    return True


def _history(repository: Repo, hidden: tuple[str, ...], request: FetchRequest) -> History:
    """Raises Fault for a want that is none of the repository's to give."""
    shown = [id for _, id in references.visible(repository, hidden)]
    history = History(repository, request.shallow, request.haves)
    others = [want for want in request.wants if want not in set(shown)]
    # A ref may have moved since the client read the list: what it reaches is still no secret.
    if others and not history.contain(shown, others):
        raise Fault(f"upload-pack: not our ref {others[0].decode()}")
    return history


def _pack(
    repository: Repo,
    hidden: tuple[str, ...],
    request: FetchRequest,
    history: History,
    boundary: Boundary,
    write: Write,
) -> None:
    banded = b"side-band-64k" in request.capabilities
    output = _Output(write, banded)
    tags = references.annotated_tags(repository, hidden) if request.include_tag else {}
    ids = history.missing(request.wants, boundary, tags)
    if banded and not request.no_progress:
        output.progress(f"Sending {len(ids)} objects.\n")
    write_pack(output.data, repository.object_store, ids, reuse_deltas=True)
    output.end()


class _Output:
    """Pack data in few large packets: a write for each object would cost more than the object."""

    def __init__(self, write: Write, banded: bool) -> None:
        self._write = write
        self._banded = banded
        self._buffer = bytearray()

    def data(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def progress(self, text: str) -> None:
        self._write(b"".join(packets.encode_band(packets.PROGRESS_BAND, text.encode())))

    def end(self) -> None:
        self._flush()
        if self._banded:
            self._write(packets.FLUSH)

    def _flush(self) -> None:
        data, self._buffer = bytes(self._buffer), bytearray()
        if self._banded:
            data = b"".join(packets.encode_band(packets.DATA_BAND, data))
        if data:
            self._write(data)
