"""Reads a received pack from front to back (gitformat-pack(5)): which objects, where, how large.

Objects that are whole are hashed as they pass, so that a large file never is in memory; deltas are
noted for `deltas`. Nothing in the pack is believed: sizes are limits, not allocations.
"""

import hashlib
import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gitserver.faults import Fault

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
TYPE_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_DELTA_BYTES_MAX = 1024 * 1024 * 1024
_STEP_BYTES = 256 * 1024


@dataclass(frozen=True)
class SizeLimits:
    """All in bytes but `objects`."""

    object_bytes: int
    structure_bytes: int
    inflated_bytes: int
    objects: int


@dataclass(slots=True)
class PackEntry:
    """One object where it lies. `id` is None for a delta that is not resolved yet."""

    offset: int
    type: int
    size: int
    data_offset: int
    crc32: int
    id: bytes | None
    base_offset: int | None = None
    base_id: bytes | None = None


class ReceivedPack:
    """A pack file, mapped read-only."""

    def __init__(self, path: Path, limits: SizeLimits) -> None:
        self.limits = limits
        self.inflated_bytes = 0
        with path.open("rb") as file:
            if path.stat().st_size < 32:
                raise Fault("the pack is cut short")
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.end = len(self.data) - 20

    def close(self) -> None:
        self.data.close()

    def scan(self, whole: Callable[[PackEntry, bytes], None]) -> Iterator[PackEntry]:
        """Every entry in order; `whole` gets each commit, tree and tag that is no delta.

        Raises Fault for anything that is not a sound pack.
        """
        count = self._count()
        position = 12
        for _ in range(count):
            entry, position = self._entry(position, whole)
            yield entry
        if position != self.end:
            raise Fault("the pack has bytes after its last object")
        self._check_trailer()

    def inflate(self, entry: PackEntry, limit_bytes: int) -> bytes:
        """The entry's own content (a delta's is the delta)."""
        parts = bytearray()
        self._inflate(entry.data_offset, min(entry.size, limit_bytes), parts.extend)
        return bytes(parts)

    def size_at(self, offset: int) -> int:
        """The size of the object whose entry starts there, deltas applied in thought only."""
        type, size, position = self._header(offset)
        if type in TYPE_NAMES:
            return size
        if type == OFS_DELTA:
            _, position = self._base_offset(offset, position)
        else:
            position += 20
        head = zlib.decompressobj().decompress(self.data[position : position + 64], 20)
        return delta_result_size(head)

    def count_inflated(self, size: int) -> None:
        self.inflated_bytes += size
        if self.inflated_bytes > self.limits.inflated_bytes:
            mib = self.limits.inflated_bytes // 1024 // 1024
            raise Fault(f"the pack's objects are over {mib} MiB when uncompressed")

    def check_size(self, type: int, size: int) -> None:
        blob = type == BLOB
        limit = self.limits.object_bytes if blob else self.limits.structure_bytes
        if size > limit:
            what = "file" if blob else TYPE_NAMES[type].decode()
            raise Fault(
                f"a {what} of {size} bytes is over the limit of {limit // 1024 // 1024} MiB"
            )

    def _count(self) -> int:
        magic, version, count = struct.unpack(">4sLL", self.data[:12])
        if magic != b"PACK" or version not in (2, 3):
            raise Fault("this is not a pack of version 2 or 3")
        # An entry has at least a byte of header and eight of zlib: a lie is seen at once.
        if count > self.limits.objects or count * 9 > len(self.data):
            raise Fault(f"the pack says that it has {count} objects")
        return int(count)

    def _entry(
        self, offset: int, whole: Callable[[PackEntry, bytes], None]
    ) -> tuple[PackEntry, int]:
        type, size, position = self._header(offset)
        entry = PackEntry(offset, type, size, 0, 0, None)
        if type == OFS_DELTA:
            entry.base_offset, position = self._base_offset(offset, position)
        elif type == REF_DELTA:
            entry.base_id = self.data[position : position + 20]
            position += 20
        entry.data_offset = position
        self.count_inflated(size)
        if type in TYPE_NAMES:
            end = self._whole(entry, whole)
        else:
            if size > _DELTA_BYTES_MAX:
                raise Fault(f"the delta at byte {offset} has {size} bytes")
            end = self._inflate(position, size, lambda _: None)
        entry.crc32 = zlib.crc32(memoryview(self.data)[offset:end])
        return entry, end

    def _whole(self, entry: PackEntry, whole: Callable[[PackEntry, bytes], None]) -> int:
        self.check_size(entry.type, entry.size)
        digest = hashlib.sha1(b"%s %d\0" % (TYPE_NAMES[entry.type], entry.size))
        parts = bytearray()

        def take(part: bytes) -> None:
            digest.update(part)
            if entry.type != BLOB:
                parts.extend(part)

        end = self._inflate(entry.data_offset, entry.size, take)
        entry.id = digest.digest()
        if entry.type != BLOB:
            whole(entry, bytes(parts))
        return end

    def _header(self, offset: int) -> tuple[int, int, int]:
        byte = self._byte(offset)
        type, size, shift = (byte >> 4) & 7, byte & 15, 4
        position = offset + 1
        while byte & 0x80:
            byte = self._byte(position)
            size |= (byte & 0x7F) << shift
            shift += 7
            position += 1
            if shift > 60:
                raise Fault(f"the object at byte {offset} has no sensible size")
        if type not in TYPE_NAMES and type not in (OFS_DELTA, REF_DELTA):
            raise Fault(f"the object at byte {offset} has the unknown type {type}")
        return type, size, position

    def _base_offset(self, offset: int, position: int) -> tuple[int, int]:
        byte = self._byte(position)
        distance = byte & 0x7F
        while byte & 0x80:
            position += 1
            byte = self._byte(position)
            distance = ((distance + 1) << 7) | (byte & 0x7F)
            if distance > offset:
                break
        base = offset - distance
        if distance == 0 or base < 12:
            raise Fault(f"the delta at byte {offset} has its base outside of the pack")
        return base, position + 1

    def _byte(self, position: int) -> int:
        if position >= self.end:
            raise Fault("the pack is cut short")
        return self.data[position]

    def _inflate(self, position: int, size: int, take: Callable[[bytes], None]) -> int:
        """Passes exactly `size` bytes to `take`; the position after the compressed ones."""
        inflater = zlib.decompressobj()
        done, pending = 0, b""
        # Small objects would otherwise copy far more than they are.
        step_bytes = min(_STEP_BYTES, size + 64)
        try:
            while not inflater.eof:
                if not pending:
                    pending = self.data[position : min(position + step_bytes, self.end)]
                    position += len(pending)
                    if not pending:
                        raise Fault("the pack is cut short")
                # One byte more than it may have shows that it has too many.
                part = inflater.decompress(pending, min(_STEP_BYTES, size - done + 1))
                pending = inflater.unconsumed_tail
                done += len(part)
                if done > size:
                    raise Fault("an object is longer than its header says")
                take(part)
        except zlib.error as error:
            raise Fault(f"the pack is corrupt: {error}") from error
        if done != size:
            raise Fault("an object is shorter than its header says")
        # At the end what was not needed is in unused_data, and in unconsumed_tail too if a step
        # before ended at its limit of output: `pending` may not be subtracted as well.
        return position - len(inflater.unused_data)

    def _check_trailer(self) -> None:
        digest = hashlib.sha1()
        view = memoryview(self.data)
        for start in range(0, self.end, 1024 * 1024):
            digest.update(view[start : min(start + 1024 * 1024, self.end)])
        view.release()
        if digest.digest() != self.data[self.end :]:
            raise Fault("the pack is corrupt: its checksum is wrong")


def delta_result_size(delta: bytes) -> int:
    """The second number of a delta's head: what a delta bomb lies large about."""
    position = 0
    size = 0
    for _ in range(2):
        size = shift = 0
        while True:
            if position >= len(delta) or shift > 60:
                raise Fault("a delta is cut short")
            byte = delta[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
    return size
