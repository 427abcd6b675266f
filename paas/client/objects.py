"""What a deploy of a folder sends: git's trees, a commit and a pack of them (gitformat-pack(5)).

Only what is needed for that, from Python's own library: the command works where no git is.
"""

import hashlib
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from paas.client.folder import Entry

FOLDER = 0o040000
COMMIT, TREE, BLOB = 1, 2, 3
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}


@dataclass(frozen=True)
class Object:
    """A tree or a commit."""

    type: int
    content: bytes

    @property
    def id(self) -> str:
        head = b"%s %d\0" % (_NAMES[self.type], len(self.content))
        return hashlib.sha1(head + self.content, usedforsecurity=False).hexdigest()


def trees(entries: Iterable[Entry]) -> list[Object]:
    """All trees of these files, the root first."""
    folders: dict[bytes, dict[bytes, tuple[int, str]]] = {b"": {}}
    for entry in entries:
        folder, _, name = entry.path.rpartition(b"/")
        folders.setdefault(folder, {})[name] = (entry.mode, entry.id)
        while folder and folder.rpartition(b"/")[0] not in folders:
            folder = folder.rpartition(b"/")[0]
            folders[folder] = {}
    made = []
    # The deepest first: a tree names the ids of those in it.
    for folder in sorted(folders, key=lambda path: (path.count(b"/"), path), reverse=True):
        if folder:
            made.append(_tree(folders[folder]))
            above, _, name = folder.rpartition(b"/")
            folders[above][name] = (FOLDER, made[-1].id)
    return [_tree(folders[b""]), *reversed(made)]


def _tree(items: dict[bytes, tuple[int, str]]) -> Object:
    """In git's order: a folder's name counts as if it ended with a slash."""

    def place(name: bytes) -> bytes:
        return name + b"/" if items[name][0] == FOLDER else name

    lines = [
        b"%o %s\0%s" % (items[name][0], name, bytes.fromhex(items[name][1]))
        for name in sorted(items, key=place)
    ]
    return Object(TREE, b"".join(lines))


def commit(tree: str, parent: str | None, author: str, message: str) -> Object:
    """`author` is `Name <address>`."""
    moment = f"{author} {int(time.time())} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
    lines += [f"author {moment}", f"committer {moment}", "", message, ""]
    return Object(COMMIT, "\n".join(lines).encode("utf-8", "replace"))


def write_pack(
    out: BinaryIO,
    objects: Sequence[Object],
    entries: Sequence[Entry],
    read: Callable[[Entry], Iterable[bytes]],
) -> None:
    """The objects, then the contents of the entries, a piece of one in memory at a time."""
    digest = hashlib.sha1(usedforsecurity=False)

    def write(data: bytes) -> None:
        digest.update(data)
        out.write(data)

    write(struct.pack(">4sLL", b"PACK", 2, len(objects) + len(entries)))
    for item in objects:
        write(_head(item.type, len(item.content)) + zlib.compress(item.content))
    for entry in entries:
        write(_head(BLOB, entry.bytes))
        deflate = zlib.compressobj()
        for part in read(entry):
            write(deflate.compress(part))
        write(deflate.flush())
    out.write(digest.digest())


def _head(type: int, size: int) -> bytes:
    head = bytearray()
    byte, size = (type << 4) | (size & 15), size >> 4
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)
