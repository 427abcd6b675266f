"""Puts a checked pack into a repository: thin packs completed, indexed, on disk before they count.

A pack without its index is not there (gitrepository-layout(5)), so a crash leaves the repository
whole.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from dulwich.pack import write_pack_index_v2

Row = tuple[bytes, int, int]
"""An object's id, its offset and the CRC-32 of its entry."""


def place(
    path: Path, rows: list[Row], external: Mapping[bytes, tuple[int, bytes]], pack_folder: Path
) -> Path:
    """Moves the pack file, with an index, into the folder; `external` has a thin pack's bases.

    Both are on the folder's file system. Answers the pack's new path.
    """
    with path.open("r+b") as file:
        checksum = _complete(file, rows, external) if external else _trailer(file)
        file.flush()
        os.fsync(file.fileno())
    index = path.with_suffix(".idx")
    with index.open("wb") as file:
        write_pack_index_v2(file, sorted(rows), checksum)
        file.flush()
        os.fsync(file.fileno())
    placed = pack_folder / f"pack-{checksum.hex()}.pack"
    for source, suffix in ((path, ".pack"), (index, ".idx")):
        source.chmod(0o444)
        source.rename(placed.with_suffix(suffix))
    _sync(pack_folder)
    return placed


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complete(
    file: BinaryIO, rows: list[Row], external: Mapping[bytes, tuple[int, bytes]]
) -> bytes:
    """Appends the bases that a thin pack left out; the new checksum (gitformat-pack(5))."""
    file.seek(-20, os.SEEK_END)
    for id, (type, content) in external.items():
        offset = file.tell()
        data = _entry_header(type, len(content)) + zlib.compress(content)
        file.write(data)
        rows.append((id, offset, zlib.crc32(data)))
    file.truncate()
    file.seek(8)
    file.write(struct.pack(">L", len(rows)))
    file.seek(0)
    digest = hashlib.sha1()
    while part := file.read(1024 * 1024):
        digest.update(part)
    file.write(digest.digest())
    return digest.digest()


def _entry_header(type: int, size: int) -> bytes:
    header = bytearray()
    byte, size = (type << 4) | (size & 15), size >> 4
    while size:
        header.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    header.append(byte)
    return bytes(header)


def _trailer(file: BinaryIO) -> bytes:
    file.seek(-20, os.SEEK_END)
    return file.read(20)
