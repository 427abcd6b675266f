"""A pack that is made here: of files that came another way than by a push."""

import hashlib
import stat
import struct
import zlib
from typing import IO, BinaryIO

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from gitserver.faults import Fault
from gitserver.objects.packfile import BLOB, TYPE_NAMES

FOLDER = 0o040000
_STEP_BYTES = 256 * 1024


class NewPack:
    """A pack that grows; objects that it or the repository has already are not in it again."""

    def __init__(
        self, file: BinaryIO, objects: DiskObjectStore, limit_bytes: int, named: str
    ) -> None:
        self._file = file
        self._objects = objects
        self._limit_bytes = limit_bytes
        self._named = named
        self._ids: set[bytes] = set()
        self._head(0)

    def has(self, id: bytes) -> bool:
        return id in self._ids or ObjectID(id.hex().encode()) in self._objects

    def add(self, type: int, content: bytes) -> bytes:
        id = hashlib.sha1(b"%s %d\0%s" % (TYPE_NAMES[type], len(content), content)).digest()
        if self._is_new(id):
            self._file.write(_entry_head(type, len(content)) + zlib.compress(content))
            self._check()
        return id

    def add_stream(self, size: int, content: IO[bytes]) -> bytes:
        """A blob, a piece of it in memory at a time. Raises Fault when it is cut short."""
        start, left = self._file.tell(), size
        digest = hashlib.sha1(b"blob %d\0" % size)
        deflate = zlib.compressobj()
        self._file.write(_entry_head(BLOB, size))
        while part := content.read(_STEP_BYTES):
            digest.update(part)
            self._file.write(deflate.compress(part))
            left -= len(part)
            self._check()
        if left:
            raise Fault(f"{self._named} are cut short")
        self._file.write(deflate.flush())
        if not self._is_new(digest.digest()):
            self._file.seek(start)
            self._file.truncate()
        return digest.digest()

    def end(self) -> None:
        """The number of objects at the beginning, and the checksum at the end."""
        self._file.seek(0)
        self._head(len(self._ids))
        self._file.seek(0)
        digest = hashlib.sha1()
        while part := self._file.read(_STEP_BYTES):
            digest.update(part)
        self._file.write(digest.digest())

    def _is_new(self, id: bytes) -> bool:
        if self.has(id):
            return False
        self._ids.add(id)
        return True

    def _head(self, count: int) -> None:
        self._file.write(struct.pack(">4sLL", b"PACK", 2, count))

    def _check(self) -> None:
        if self._file.tell() > self._limit_bytes:
            raise Fault(f"{self._named} have over {self._limit_bytes >> 20} MiB compressed")


def _entry_head(type: int, size: int) -> bytes:
    head = bytearray()
    byte, size = (type << 4) | (size & 15), size >> 4
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)


def tree_of(items: dict[bytes, tuple[int, bytes]]) -> bytes:
    """A tree's content from names → mode and id, in git's order: a folder's name counts as if it
    ended with a slash."""
    names = sorted(items, key=lambda name: name + b"/" if stat.S_ISDIR(items[name][0]) else name)
    return b"".join(b"%o %s\0%s" % (items[name][0], name, items[name][1]) for name in names)
