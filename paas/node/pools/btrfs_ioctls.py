"""The btrfs calls that a clone costs, without a process each (linux/btrfs.h).

Every function takes open descriptors or paths that only root can write to, and raises OSError.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAGIC = 0x94
_WRITE, _READ = 1, 2
_VOLUME_ARGUMENTS = struct.Struct("=q Q Q 32s 4040s")
_SEARCH_KEY = struct.Struct("=7Q 4I 4Q")
_SEARCH_HEADER = struct.Struct("=3Q 2I")
_SEARCH_BYTES = 4096
_MAX = 2**64 - 1

_READ_ONLY = 1 << 1
_BY_ID = 1 << 4
FIRST_INODE = 256
ROOT_TREE, QUOTA_TREE = 1, 8
ROOT_REF_KEY = 156
QGROUP_STATUS_KEY, QGROUP_INFO_KEY, QGROUP_RELATION_KEY = 240, 242, 246


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | _MAGIC << 8 | number


_SYNC = _request(0, 8, 0)
_TREE_SEARCH = _request(_READ | _WRITE, 17, _SEARCH_BYTES)
_INO_LOOKUP = _request(_READ | _WRITE, 18, 4096)
_SNAP_CREATE_V2 = _request(_WRITE, 23, 4096)
_SUBVOL_CREATE_V2 = _request(_WRITE, 24, 4096)
_SNAP_DESTROY_V2 = _request(_WRITE, 63, 4096)
_QUOTA_CTL = _request(_READ | _WRITE, 40, 16)
_QGROUP_ASSIGN = _request(_WRITE, 41, 24)
_QGROUP_CREATE = _request(_WRITE, 42, 16)
_QGROUP_LIMIT = _request(_READ, 43, 48)


def create_subvolume(path: Path) -> None:
    with opened(path.parent) as parent:
        fcntl.ioctl(parent, _SUBVOL_CREATE_V2, _volume(name=path.name))


def create_snapshot(source: Path, path: Path, read_only: bool) -> None:
    flags = _READ_ONLY if read_only else 0
    with opened(source) as origin, opened(path.parent) as parent:
        fcntl.ioctl(parent, _SNAP_CREATE_V2, _volume(origin, flags, path.name))


def destroy_subvolume(path: Path) -> None:
    """Also those that a tenant made inside, deepest first: the kernel refuses a parent before
    them.
    """
    with opened(path.parent) as parent:
        for child in reversed(descendants(path)):
            fcntl.ioctl(parent, _SNAP_DESTROY_V2, _volume(flags=_BY_ID, subvolume=child))
        fcntl.ioctl(parent, _SNAP_DESTROY_V2, _volume(name=path.name))


def descendants(path: Path) -> list[int]:
    """Ids of the subvolumes inside a subvolume, parents before their children."""
    with opened(path) as dataset:
        return list(_descendants(dataset, subvolume_id(dataset)))


def is_subvolume(path: Path) -> bool:
    try:
        return path.stat(follow_symlinks=False).st_ino == FIRST_INODE
    except FileNotFoundError:
        return False


def subvolume_id(descriptor: int) -> int:
    buffer = bytearray(struct.pack("=QQ", 0, FIRST_INODE).ljust(4096, b"\0"))
    fcntl.ioctl(descriptor, _INO_LOOKUP, buffer)
    (tree,) = struct.unpack_from("=Q", buffer)
    return int(tree)


def search(
    descriptor: int,
    tree: int,
    item_type: int,
    objectid: int | None = None,
    offset: int | None = None,
) -> Iterator[tuple[int, int, bytes]]:
    """(objectid, offset, body) of a tree's items of one type, all objects or one, all offsets or
    (of one object) one.
    """
    first, last = (0, _MAX) if objectid is None else (objectid, objectid)
    start, end = (0, _MAX) if offset is None else (offset, offset)
    position = (first, item_type, start)
    while True:
        key = (tree, position[0], last, position[2], end, 0, _MAX)
        head = _SEARCH_KEY.pack(*key, position[1], item_type, 4096, 0, 0, 0, 0, 0)
        buffer = bytearray(head.ljust(_SEARCH_BYTES, b"\0"))
        fcntl.ioctl(descriptor, _TREE_SEARCH, buffer)
        count = _SEARCH_KEY.unpack_from(buffer)[9]
        if not count:
            return
        at = _SEARCH_KEY.size
        for _ in range(count):
            _, found, at_offset, kind, length = _SEARCH_HEADER.unpack_from(buffer, at)
            at += _SEARCH_HEADER.size
            if kind == item_type and first <= found <= last:
                yield found, at_offset, bytes(buffer[at : at + length])
            at += length
        if (found, kind, at_offset) >= (last, item_type, end):
            return
        position = _next_key(found, kind, at_offset)


def commit(path: Path) -> None:
    """End the transaction: only then is what was deleted in it free (BTRFS_IOC_SYNC)."""
    with opened(path) as descriptor:
        fcntl.ioctl(descriptor, _SYNC)


def quota_control(descriptor: int, command: int) -> None:
    fcntl.ioctl(descriptor, _QUOTA_CTL, bytearray(struct.pack("=QQ", command, 0)))


def create_qgroup(descriptor: int, qgroup: int) -> None:
    _ignore(errno.EEXIST, descriptor, _QGROUP_CREATE, struct.pack("=QQ", 1, qgroup))


def delete_qgroup(descriptor: int, qgroup: int) -> bool:
    """False while something is still accounted to it."""
    try:
        _ignore(errno.ENOENT, descriptor, _QGROUP_CREATE, struct.pack("=QQ", 0, qgroup))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def assign_qgroup(descriptor: int, child: int, parent: int) -> None:
    _ignore(errno.EEXIST, descriptor, _QGROUP_ASSIGN, struct.pack("=QQQ", 1, child, parent))


def limit_qgroup(descriptor: int, qgroup: int, referenced_bytes: int | None) -> None:
    limit = _MAX if referenced_bytes is None else referenced_bytes
    fcntl.ioctl(descriptor, _QGROUP_LIMIT, struct.pack("=6Q", qgroup, 1, limit, 0, 0, 0))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A folder's descriptor for the length of a call; never through a link at its end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _descendants(descriptor: int, subvolume: int) -> Iterator[int]:
    for _, child, _ in search(descriptor, ROOT_TREE, ROOT_REF_KEY, subvolume):
        yield child
        yield from _descendants(descriptor, child)


def _volume(origin: int = 0, flags: int = 0, name: str = "", subvolume: int = 0) -> bytearray:
    target = struct.pack("=Q", subvolume) if flags & _BY_ID else os.fsencode(name)
    return bytearray(_VOLUME_ARGUMENTS.pack(origin, 0, flags, b"", target))


def _next_key(objectid: int, item_type: int, offset: int) -> tuple[int, int, int]:
    if offset < _MAX:
        return objectid, item_type, offset + 1
    if item_type < 255:
        return objectid, item_type + 1, 0
    return objectid + 1, 0, 0


def _ignore(number: int, descriptor: int, request: int, arguments: bytes) -> None:
    try:
        fcntl.ioctl(descriptor, request, arguments)
    except OSError as error:
        if error.errno != number:
            raise
