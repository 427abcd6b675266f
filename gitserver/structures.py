"""What commits, trees and tags may hold, and what they point at.

Trees are checked as `git fsck` does: whoever extracts one later must be able to trust its names.
Commits and tags are read leniently, because old histories have odd authors and dates.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dulwich.errors import ObjectFormatException
from dulwich.objects import parse_tree

from gitserver.faults import Fault
from gitserver.packfile import BLOB, COMMIT, TAG, TREE

MODES = {
    0o100644: BLOB,
    0o100755: BLOB,
    0o100664: BLOB,
    0o120000: BLOB,
    0o040000: TREE,
    0o160000: COMMIT,
}
SUBMODULE = 0o160000
NAME_BYTES_MAX = 255
_TYPES = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": TAG}
_DOT_GIT = re.compile(rb"(?:\.git|git~1)[ .]*(?:[:\\].*)?", re.IGNORECASE | re.DOTALL)
# What HFS+ leaves out of names (git's utf8.c, next_hfs_char).
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Reference:
    """`type` is what the object with `id` (20 bytes) must be."""

    id: bytes
    type: int


@dataclass(frozen=True, slots=True)
class TreeEntry:
    name: bytes
    mode: int
    id: bytes


def references(type: int, id: bytes, content: bytes) -> Iterator[Reference]:
    """The objects that a commit, tree or tag needs; submodules need none. Raises Fault."""
    if type == TREE:
        for entry in tree_entries(id, content):
            if entry.mode != SUBMODULE:
                yield Reference(entry.id, MODES[entry.mode])
    elif type == COMMIT:
        tree, parents = commit_links(id, content)
        yield Reference(tree, TREE)
        yield from (Reference(parent, COMMIT) for parent in parents)
    elif type == TAG:
        yield _tagged(id, content)


def tree_entries(id: bytes, content: bytes) -> list[TreeEntry]:
    """The entries of a tree, every rule checked. Raises Fault."""
    try:
        parsed = list(parse_tree(content, 20))
    except (ObjectFormatException, ValueError, OverflowError) as error:
        raise Fault(f"tree {id.hex()} is malformed") from error
    entries = [TreeEntry(name, mode, bytes.fromhex(sha.decode())) for name, mode, sha in parsed]
    for entry in entries:
        _check_name(id, entry.name)
        if entry.mode not in MODES:
            raise Fault(f"tree {id.hex()}: {_show(entry.name)} has the mode {entry.mode:o}")
    _check_order(id, entries)
    return entries


def commit_links(id: bytes, content: bytes) -> tuple[bytes, list[bytes]]:
    """A commit's tree and parents. Raises Fault."""
    head = content.split(b"\n\n", 1)[0].split(b"\n")
    tree = _link(head[0], b"tree")
    if tree is None:
        raise Fault(f"commit {id.hex()} has no tree")
    parents = []
    for line in head[1:]:
        parent = _link(line, b"parent")
        if parent is None:
            break
        parents.append(parent)
    rest = head[1 + len(parents) :]
    if len(rest) < 2 or not (rest[0].startswith(b"author ") and rest[1].startswith(b"committer ")):
        raise Fault(f"commit {id.hex()} has no author or committer")
    return tree, parents


def _tagged(id: bytes, content: bytes) -> Reference:
    head = content.split(b"\n\n", 1)[0].split(b"\n")
    target = _link(head[0], b"object")
    type = _TYPES.get(head[1].removeprefix(b"type ")) if len(head) > 1 else None
    if target is None or type is None:
        raise Fault(f"tag {id.hex()} is malformed")
    return Reference(target, type)


def _link(line: bytes, word: bytes) -> bytes | None:
    match = re.fullmatch(rb"%s ([0-9a-f]{40})" % word, line)
    return bytes.fromhex(match[1].decode()) if match else None


def _check_name(tree: bytes, name: bytes) -> None:
    if not name or name in (b".", b"..") or b"/" in name or _is_dot_git(name):
        raise Fault(f"tree {tree.hex()} has an entry named {_show(name)}, which git forbids")
    if len(name) > NAME_BYTES_MAX:
        raise Fault(f"tree {tree.hex()} has a name of {len(name)} bytes: no file system takes it")


def _is_dot_git(name: bytes) -> bool:
    if _DOT_GIT.fullmatch(name):
        return True
    if name.isascii():
        return False
    text = _HFS_IGNORED.sub("", name.decode("utf-8", "replace"))
    return text.lower() == ".git"


def _check_order(tree: bytes, entries: list[TreeEntry]) -> None:
    keys = [entry.name + b"/" if entry.mode == 0o040000 else entry.name for entry in entries]
    if any(left >= right for left, right in itertools.pairwise(keys)):
        raise Fault(f"tree {tree.hex()} is not sorted")
    # A file and a folder of one name need not be neighbours.
    if len({entry.name for entry in entries}) != len(entries):
        raise Fault(f"tree {tree.hex()} has two entries of one name")


def _show(name: bytes) -> str:
    return repr(name[:80])[1:]
