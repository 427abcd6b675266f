"""Entries of a repository's packs as they lie there: where each begins and ends, and on what.

Read by the index (gitformat-pack(5), version 2), whose offsets, put in order, say where an entry
ends without inflating it. The packs were checked when they came (`checking`), or made by git.
"""

import mmap
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dulwich.objects import RawObjectID
from dulwich.pack import Pack

from gitserver.objects.packfile import OFS_DELTA, REF_DELTA

_PIECE_BYTES = 1024 * 1024
_TRAILER_BYTES = 20
_FANOUT_BYTES = 8 + 256 * 4
_LARGE = 0x80000000


@dataclass(frozen=True, slots=True)
class Lying:
    """`size` is the object's, or with a `base` (20 bytes) the delta's, when inflated."""

    file: mmap.mmap
    begin: int
    end: int
    type: int
    size: int
    base: bytes | None

    def data(self) -> Iterator[bytes]:
        """Compressed, in pieces."""
        for start in range(self.begin, self.end, _PIECE_BYTES):
            yield self.file[start : min(start + _PIECE_BYTES, self.end)]


class LyingPack:
    """One pack; nothing is opened before something is looked for."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack

    def find(self, id: bytes) -> Lying | None:
        """The object of these 20 bytes, if it is in this pack."""
        try:
            offset = self._pack.index.object_offset(RawObjectID(id))
        except KeyError:
            return None
        return self._at(offset)

    def _at(self, offset: int) -> Lying:
        data, position = self._data, offset
        byte = data[position]
        type, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            position += 1
            byte = data[position]
            size |= (byte & 0x7F) << shift
            shift += 7
        position += 1
        base = None
        if type == REF_DELTA:
            base = data[position : position + 20]
            position += 20
        elif type == OFS_DELTA:
            base, position = self._base_behind(offset, position)
        return Lying(data, position, self._end_of(offset), type, size, base)

    def _base_behind(self, offset: int, position: int) -> tuple[bytes, int]:
        """gitformat-pack(5), "offset encoding"; and where it ends."""
        byte = self._data[position]
        distance = byte & 0x7F
        while byte & 0x80:
            position += 1
            byte = self._data[position]
            distance = (distance + 1 << 7) | (byte & 0x7F)
        row = self._rows[offset - distance]
        begin = _FANOUT_BYTES + 20 * row
        return self._index[begin : begin + 20], position + 1

    def _end_of(self, offset: int) -> int:
        following = bisect_right(self._sorted, offset)
        if following < len(self._sorted):
            return self._sorted[following]
        return len(self._data) - _TRAILER_BYTES

    @cached_property
    def _data(self) -> mmap.mmap:
        return _mapped(Path(self._pack.data.path))

    @cached_property
    def _index(self) -> mmap.mmap:
        return _mapped(Path(self._pack.data.path).with_suffix(".idx"))

    @cached_property
    def _offsets(self) -> list[int]:
        """Of each row of the index, in its order."""
        count = int.from_bytes(self._index[_FANOUT_BYTES - 4 : _FANOUT_BYTES], "big")
        begin = _FANOUT_BYTES + 24 * count
        small = array("I", self._index[begin : begin + 4 * count])
        if sys.byteorder == "little":
            small.byteswap()
        large = begin + 4 * count
        return [item if item < _LARGE else self._large(large, item) for item in small]

    def _large(self, begin: int, item: int) -> int:
        """Behind 2 GiB: the place in a table of eight bytes each."""
        place = begin + 8 * (item - _LARGE)
        return int.from_bytes(self._index[place : place + 8], "big")

    @cached_property
    def _sorted(self) -> list[int]:
        return sorted(self._offsets)

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {offset: row for row, offset in enumerate(self._offsets)}


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
