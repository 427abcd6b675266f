"""Writes objects of a repository as a pack, for a fetch or for fewer packs on the disk.

What lies in a pack is copied as it lies there, compressed, in pieces: git does the same, and a
large file is never in memory. Objects are bytes here and never parsed: dulwich's own writer does,
and gives up over a commit whose date it can't read, which git takes, keeps and sends.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from gitserver.objects.lying import Lying, LyingPack
from gitserver.objects.packfile import REF_DELTA

Write = Callable[[bytes], Any]
Places = dict[bytes, tuple[int, int]]
"""Object (20 bytes) → its offset and the CRC-32 of its entry."""
_LEVEL = 1
"""What lies nowhere as it is wanted (a delta whose base stays behind) is compressed in haste."""


def write_pack(
    write: Write,
    store: DiskObjectStore,
    ids: Sequence[ObjectID],
    *,
    reuse_deltas: bool,
) -> Places:
    """Whole objects, or deltas that lie there already upon others of `ids` (gitformat-pack(5))."""
    wanted = {bytes.fromhex(id.decode()): id for id in ids}
    packs = [LyingPack(pack) for pack in store.packs]
    file = _File(write)
    file.write(b"PACK" + struct.pack(">II", 2, len(wanted)))
    places: Places = {}
    for raw, id in wanted.items():
        begins, file.crc32 = file.written, 0
        for part in _entry(store, packs, raw, id, wanted if reuse_deltas else {}):
            file.write(part)
        places[raw] = (begins, file.crc32)
    write(file.sha1.digest())
    return places


def _entry(
    store: DiskObjectStore,
    packs: list[LyingPack],
    raw: bytes,
    id: ObjectID,
    bases: dict[bytes, ObjectID],
) -> Iterator[bytes]:
    """Header and data. A delta counts only where it lies first: its base, looked for in the same
    way, is found in the same pack or before it, so that no two are each other's bases."""
    for pack in packs:
        lying = pack.find(raw)
        if lying is None:
            continue
        if lying.base is None:
            yield from _header(lying.type, lying.size)
            yield from lying.data()
            return
        if lying.base in bases and _lies_first(packs, pack, lying):
            yield from _header(REF_DELTA, lying.size)
            yield lying.base
            yield from lying.data()
            return
        break
    type, content = store.get_raw(id)
    yield from _header(type, len(content))
    yield zlib.compress(content, _LEVEL)


def _lies_first(packs: list[LyingPack], pack: LyingPack, lying: Lying) -> bool:
    assert lying.base is not None
    first = next((each for each in packs if each.find(lying.base) is not None), None)
    return first is pack


def _header(type: int, size: int) -> Iterator[bytes]:
    """Three bits of type, and the size (of the object, or of the delta), seven bits a byte."""
    head, size = (type << 4) | (size & 15), size >> 4
    encoded = bytearray()
    while size:
        encoded.append(head | 0x80)
        head, size = size & 0x7F, size >> 7
    encoded.append(head)
    yield bytes(encoded)


class _File:
    """What is written, counted and summed."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.written = 0
        self.crc32 = 0

    def write(self, data: bytes) -> None:
        self.sha1.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.written += len(data)
        self._write(data)
