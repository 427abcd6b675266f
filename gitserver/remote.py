"""The client's side of a fetch over HTTP, without its I/O: what a server says, and what to ask it.

One commit, without its history: in protocol version 0, which every server speaks
(gitprotocol-pack(5), gitprotocol-http(5)), where the commit is a branch's; in version 2
(gitprotocol-v2(5)) where it may be any, as those of submodules are, which version 0 gives only
where the server's settings let it. The answer is a stranger's: it is checked as a push is before
anything of it is kept.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from gitserver.protocol import packets
from gitserver.protocol.packets import Mark, PacketError

REQUEST = "application/x-git-upload-pack-request"
NEWER = {"Git-Protocol": "version=2"}
"""Headers with which a server that can speaks version 2."""
_AGENT = "agent=smartplatform"
_WANTED = ("side-band-64k", "ofs-delta", "no-progress")
_ID = re.compile(rb"[0-9a-f]{40}")
_READ_BYTES = 256 * 1024
_SAID_CHARACTERS_MAX = 300


class RemoteFault(Exception):
    """The other server refuses, or does not speak git; the message says what it said."""


@dataclass(frozen=True)
class Advertised:
    """Full names of refs → ids, which version 2 does not tell, and what the server can."""

    refs: Mapping[str, str]
    capabilities: frozenset[str]
    version: int = 0


def advertised(content: bytes) -> Advertised:
    """Of `GET <url>/info/refs?service=git-upload-pack`. Raises RemoteFault."""
    try:
        found = packets.decode_all(content)
    except PacketError as error:
        raise RemoteFault("what answers there is no git server") from error
    lines = [packet.rstrip(b"\n") for packet in found if not isinstance(packet, Mark)]
    if lines and lines[0] == b"# service=git-upload-pack":
        del lines[0]
    elif lines[:1] != [b"version 2"]:
        raise RemoteFault("what answers there is no git server")
    if lines[:1] == [b"version 2"]:
        said = (line.decode("utf-8", "replace") for line in lines[1:])
        return Advertised({}, frozenset(said), version=2)
    refs, capabilities = dict[str, str](), frozenset[str]()
    for line in lines:
        _raise_error(line)
        named, _, told = line.partition(b"\0")
        if told:
            capabilities = frozenset(told.decode("utf-8", "replace").split())
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


def request_of_any(want: str, found: Advertised) -> bytes:
    """The same for a commit that need not be a branch's. Raises RemoteFault."""
    if found.version < 2:
        return request(want, found.capabilities)
    fetch = next((can for can in found.capabilities if can.partition("=")[0] == "fetch"), "")
    if "shallow" not in fetch.partition("=")[2].split():
        raise RemoteFault("the server can't give a commit without its history")
    format = ["object-format=sha1\n"] if "object-format=sha1" in found.capabilities else []
    head = ["command=fetch\n", f"{_AGENT}\n", *format]
    words = ["ofs-delta\n", "no-progress\n", "deepen 1\n", f"want {want}\n", "done\n"]
    asked = b"".join(map(packets.encode, head)) + packets.DELIMITER
    return asked + b"".join(map(packets.encode, words)) + packets.FLUSH


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
