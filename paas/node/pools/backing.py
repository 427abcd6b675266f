"""Room on the host's disk for what a sparse pool must always be able to write: its metadata.

When a write of metadata fails, btrfs gives up its transaction and is read-only from then on, for
everybody. A write of data that fails costs its writer an error and nobody else anything. So the
metadata's part of the sparse file is given to it for good, and a host's disk that is full harms
nobody but who writes.
"""

import ctypes
import errno
import os
import struct
from pathlib import Path

from paas.node.pools import btrfs_ioctls as ioctls

_CHUNK_TREE, _CHUNK_ITEM_KEY, _CHUNKS = 3, 228, 256
_CHUNK, _STRIPE = struct.Struct("=4Q 3I 2H"), struct.Struct("=2Q 16s")
_SYSTEM, _METADATA = 1 << 1, 1 << 2
_KEEP_SIZE = 1
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS)

Extent = tuple[int, int]
"""Offset and length in the pool's file, in bytes."""


def metadata_extents(root: Path) -> list[Extent]:
    """Where the file system keeps metadata now, on its one device."""
    with ioctls.opened(root) as pool:
        items = ioctls.search(pool, _CHUNK_TREE, _CHUNK_ITEM_KEY, _CHUNKS)
        return [extent for _, _, body in items for extent in _extents(body)]


def _extents(body: bytes) -> list[Extent]:
    length, _, _, kind, _, _, _, stripes, _ = _CHUNK.unpack_from(body)
    if not kind & (_SYSTEM | _METADATA):
        return []
    places = (_CHUNK.size + number * _STRIPE.size for number in range(stripes))
    return [(_STRIPE.unpack_from(body, place)[1], length) for place in places]


def back(file: Path, extents: list[Extent]) -> None:
    """Give the extents of the file blocks on its disk; what they hold stays.

    Raises OSError, ENOSPC above all. Where the disk's file system can't, nothing is done.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        for offset, length in extents:
            # Not posix_fallocate: it writes where the file system can't, over what stands there.
            arguments = (ctypes.c_int64(offset), ctypes.c_int64(length))
            if libc.fallocate(descriptor, _KEEP_SIZE, *arguments):
                number = ctypes.get_errno()
                if number in _UNSUPPORTED:
                    return
                raise OSError(number, os.strerror(number), str(file))
    finally:
        os.close(descriptor)
