"""The client's side of a fetch over HTTP, without its I/O: what a server says, and what to ask it.

Protocol version 0, which every server speaks (gitprotocol-pack(5), gitprotocol-http(5)); one
commit, without its history. The answer is a stranger's: it is checked as a push is before anything
of it is kept.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from gitserver.protocol import packets
from gitserver.protocol.packets import Mark, PacketError

REQUEST = "application/x-git-upload-pack-request"
_AGENT = "agent=smartplatform"
_WANTED = ("side-band-64k", "ofs-delta", "no-progress")
_ID = re.compile(rb"[0-9a-f]{40}")
_READ_BYTES = 256 * 1024
_SAID_CHARACTERS_MAX = 300


class RemoteFault(Exception):
    """The other server refuses, or does not speak git; the message says what it said."""


@dataclass(frozen=True)
class Advertised:
    """Full names of refs → ids, and what the server can."""

    refs: Mapping[str, str]
    capabilities: frozenset[str]


def advertised(content: bytes) -> Advertised:
    """Of `GET <url>/info/refs?service=git-upload-pack`. Raises RemoteFault."""
    try:
        found = packets.decode_all(content)
    except PacketError as error:
        raise RemoteFault("what answers there is no git server") from error
    lines = [packet.rstrip(b"\n") for packet in found if not isinstance(packet, Mark)]
    if not lines or lines[0] != b"# service=git-upload-pack":
        raise RemoteFault("what answers there is no git server")
    refs, capabilities = dict[str, str](), frozenset[str]()
    for line in lines[1:]:
        _raise_error(line)
        named, _, said = line.partition(b"\0")
        if said:
            capabilities = frozenset(said.decode("utf-8", "replace").split())
        id, _, name = named.partition(b" ")
        if not _ID.fullmatch(id):
            raise RemoteFault("its repository is not one of SHA-1")
        refs[name.decode("utf-8", "replace")] = id.decode()
    return Advertised(refs, capabilities)


def request(want: str, capabilities: frozenset[str]) -> bytes:
    """The body of `POST <url>/git-upload-pack`: the commit and its files. Raises RemoteFault."""
    if not {"shallow", "side-band-64k"} <= capabilities:
        raise RemoteFault("the server can't give a commit without its history")
    asked = " ".join([*(word for word in _WANTED if word in capabilities), _AGENT])
    head = packets.encode(f"want {want} {asked}\n") + packets.encode("deepen 1\n")
    return head + packets.FLUSH + packets.encode("done\n")


def unpack(answer: BinaryIO, pack: BinaryIO) -> tuple[str, ...]:
    """Writes the pack of an answer; the commits that came without their parents. Blocks.

    Raises RemoteFault.
    """
    shallow: list[str] = []
    begun = complete = False
    try:
        for packet in _packets(answer):
            if isinstance(packet, Mark):
                complete = begun
            elif begun or packet[:1] in (b"\1", b"\2", b"\3"):
                begun, complete = True, False
                _write(packet, pack)
            elif packet.startswith(b"shallow "):
                shallow.append(_id(packet[8:]))
            else:
                _raise_error(packet)
    except PacketError as error:
        raise RemoteFault("the answer is damaged") from error
    if not complete:
        raise RemoteFault("the answer ended before all of it had come")
    return tuple(shallow)


def _write(packet: bytes, pack: BinaryIO) -> None:
    band, content = packet[:1], packet[1:]
    if band == b"\1":
        pack.write(content)
    elif band == b"\3":
        raise RemoteFault(_text(content))


def _packets(answer: BinaryIO) -> Iterable[packets.Packet]:
    decoder = packets.Decoder()
    while data := answer.read(_READ_BYTES):
        decoder.feed(data)
        while (packet := decoder.next()) is not None:
            yield packet
    if decoder.rest:
        raise PacketError("the answer ends inside a packet")


def _id(text: bytes) -> str:
    found = text.strip()
    if not _ID.fullmatch(found):
        raise RemoteFault("the answer is damaged")
    return found.decode()


def _raise_error(line: bytes) -> None:
    if line.startswith(b"ERR "):
        raise RemoteFault(_text(line[4:]))


def _text(said: bytes) -> str:
    text = said.decode("utf-8", "replace").strip()
    return "".join(letter for letter in text if letter.isprintable())[:_SAID_CHARACTERS_MAX]
