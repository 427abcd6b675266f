"""Parses what a fetching client asks: version 0 (and 1) and version 2, without I/O.

gitprotocol-pack(5), "Packfile Negotiation", and gitprotocol-v2(5).
"""

import re
from dataclasses import dataclass, field

from dulwich.objects import ObjectID

from gitserver.faults import Fault
from gitserver.protocol.packets import Mark, Packet, decode_all

_ID = re.compile(rb"[0-9a-f]{40}")
_DEPTH_MAX = 0x7FFFFFFF
"""git's own "infinite": `fetch --unshallow` asks for it."""


@dataclass(frozen=True)
class FetchRequest:
    """`depth` 0 means that the client's boundary stays as it is; it is counted from the wants, or
    with `deepen_relative` from that boundary."""

    wants: tuple[ObjectID, ...] = ()
    haves: tuple[ObjectID, ...] = ()
    shallow: tuple[ObjectID, ...] = ()
    depth: int = 0
    done: bool = False
    capabilities: frozenset[bytes] = field(default=frozenset())

    @property
    def include_tag(self) -> bool:
        return b"include-tag" in self.capabilities

    @property
    def deepen_relative(self) -> bool:
        return b"deepen-relative" in self.capabilities

    @property
    def no_progress(self) -> bool:
        return b"no-progress" in self.capabilities


@dataclass(frozen=True)
class Command:
    """A request of version 2."""

    name: bytes
    arguments: tuple[bytes, ...]

    def fetch(self) -> FetchRequest:
        """The arguments of `fetch`. Raises Fault."""
        flags = {argument for argument in self.arguments if b" " not in argument}
        lines = [argument for argument in self.arguments if b" " in argument]
        return _request(lines, flags | {b"side-band-64k"}, done=b"done" in flags)


def parse_v2(payload: bytes) -> Command:
    """command=…, capabilities, delimiter, arguments, flush. Raises Fault or PacketError."""
    name = b""
    arguments: list[bytes] = []
    behind_delimiter = False
    for packet in decode_all(payload):
        if packet is Mark.DELIMITER:
            behind_delimiter = True
        elif isinstance(packet, Mark):
            break
        elif behind_delimiter:
            arguments.append(packet.removesuffix(b"\n"))
        elif packet.startswith(b"command="):
            name = packet.removeprefix(b"command=").removesuffix(b"\n")
    return Command(name, tuple(arguments))


def parse_v0(payload: bytes) -> FetchRequest:
    """want lines, the first with capabilities, and so on. Raises Fault or PacketError."""
    lines = [_line(packet) for packet in decode_all(payload) if not isinstance(packet, Mark)]
    if not lines:
        return FetchRequest()
    # "want <40 digits>", then the capabilities.
    first, capabilities = lines[0][:45], lines[0][45:].split()
    return _request([first, *lines[1:]], set(capabilities), done=b"done" in lines)


def _request(lines: list[bytes], capabilities: set[bytes], *, done: bool) -> FetchRequest:
    ids: dict[bytes, list[ObjectID]] = {b"want": [], b"have": [], b"shallow": []}
    depth = 0
    for line in lines:
        word, _, value = line.partition(b" ")
        if word in ids:
            ids[word].append(_id(value))
        elif word == b"deepen":
            depth = _depth(value)
        elif word != b"done":
            raise Fault(f"this server does not know {word[:40].decode('utf-8', 'replace')!r}")
    return FetchRequest(
        wants=tuple(dict.fromkeys(ids[b"want"])),
        haves=tuple(dict.fromkeys(ids[b"have"])),
        shallow=tuple(ids[b"shallow"]),
        depth=depth,
        done=done,
        capabilities=frozenset(capabilities),
    )


def _line(packet: Packet) -> bytes:
    assert isinstance(packet, bytes)
    return packet.removesuffix(b"\n")


def _id(value: bytes) -> ObjectID:
    if not _ID.fullmatch(value):
        raise Fault(f"{value[:50]!r} is no object id")
    return ObjectID(value)


def _depth(value: bytes) -> int:
    if not value.isdigit() or not 1 <= len(value) <= 10 or int(value) > _DEPTH_MAX:
        raise Fault(f"{value[:20]!r} is no depth")
    return int(value)
