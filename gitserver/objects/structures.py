"""What commits, trees and tags may hold, and what they point at.

Trees are checked as `git fsck` does: whoever extracts one later must be able to trust its names.
Commits and tags are read leniently, because old histories have odd authors and dates.
"""

import itertools
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dulwich.errors import ObjectFormatException
from dulwich.objects import ObjectID, parse_tree

from gitserver.faults import Fault
from gitserver.objects.packfile import BLOB, COMMIT, TAG, TREE

SUBMODULE = 0o160000
_KINDS = {stat.S_IFREG: BLOB, stat.S_IFLNK: BLOB, stat.S_IFDIR: TREE, SUBMODULE: COMMIT}
NAME_BYTES_MAX = 255
_TYPES = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": TAG}
_LINK_BYTES = len(" \n") + 40
_TAG_REST = re.compile(rb"type (commit|tree|blob|tag)\ntag ([^\n]*)\n")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,99}")
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
    """`mode` as it stands there: old tools wrote others than git's own, 0100664 and 040755 too."""

    name: bytes
    mode: int
    id: bytes

    @property
    def type(self) -> int:
        """What it must point at, as git's canon_mode() reads the mode."""
        return _KINDS[stat.S_IFMT(self.mode)]

    @property
    def is_submodule(self) -> bool:
        return stat.S_IFMT(self.mode) == SUBMODULE


def references(type: int, id: bytes, content: bytes) -> Iterator[Reference]:
    """The objects that a commit, tree or tag needs; submodules need none. Raises Fault."""
    if type == TREE:
        for entry in tree_entries(id, content):
            if not entry.is_submodule:
                yield Reference(entry.id, entry.type)
    elif type == COMMIT:
        tree, parents = commit_links(id, content)
        yield Reference(tree, TREE)
        yield from (Reference(parent, COMMIT) for parent in parents)
    elif type == TAG:
        yield tagged(id, content)


def tree_entries(id: bytes, content: bytes) -> list[TreeEntry]:
    """The entries of a tree, every rule checked. Raises Fault."""
    try:
        parsed = list(parse_tree(content, 20))
    except (ObjectFormatException, ValueError, OverflowError) as error:
        raise Fault(f"tree {id.hex()} is malformed") from error
    entries = [TreeEntry(name, mode, bytes.fromhex(sha.decode())) for name, mode, sha in parsed]
    for entry in entries:
        _check_name(id, entry.name)
        if stat.S_IFMT(entry.mode) not in _KINDS or entry.mode > 0o177777:
            raise Fault(f"tree {id.hex()}: {_show(entry.name)} has the mode {entry.mode:o}")
    _check_order(id, entries)
    return entries


def commit_links(id: bytes, content: bytes) -> tuple[bytes, list[bytes]]:
    """A commit's tree and parents. Raises Fault.

    As git's parse_commit_buffer(): authors, dates and all that follows may be anything.
    """
    tree = _link(content, 0, b"tree")
    if tree is None:
        raise Fault(f"commit {id.hex()} has no tree")
    position = _LINK_BYTES + len(b"tree")
    parents = []
    while content.startswith(b"parent ", position):
        parent = _link(content, position, b"parent")
        if parent is None:
            raise Fault(f"commit {id.hex()} has a malformed parent")
        parents.append(parent)
        position += _LINK_BYTES + len(b"parent")
    return tree, parents


def commit_message(content: bytes) -> bytes:
    return content.partition(b"\n\n")[2]


def tagged(id: bytes, content: bytes) -> Reference:
    """What a tag points at. Raises Fault."""
    target = _link(content, 0, b"object")
    match = _TAG_REST.match(content, _LINK_BYTES + len(b"object"))
    if target is None or match is None:
        raise Fault(f"tag {id.hex()} is malformed")
    return Reference(target, _TYPES[match[1]])


def peel(get: Callable[[ObjectID], tuple[int, bytes]], id: ObjectID) -> Reference:
    """What a tag points at in the end, over further tags; anything else is its own end.

    Raises KeyError when something of that is not there, Fault for a malformed tag.
    """
    type, content = get(id)
    while type == TAG:
        target = tagged(bytes.fromhex(id.decode()), content)
        id = ObjectID(target.id.hex().encode())
        type, content = get(id)
    return Reference(bytes.fromhex(id.decode()), type)


def tag_name(content: bytes) -> str | None:
    """The name that a tag says it has, where that can be typed as it is."""
    match = _TAG_REST.match(content, _LINK_BYTES + len(b"object"))
    name = match[2].decode("ascii", "replace") if match else ""
    return name if _PLAIN_NAME.fullmatch(name) else None


def _link(content: bytes, position: int, word: bytes) -> bytes | None:
    """The 20 bytes of a line `<word> <40 hexadecimal digits>`."""
    # As for git, something has to follow: such a line is never the last one.
    line = content[position : position + len(word) + _LINK_BYTES + 1]
    match = re.fullmatch(rb"%s ([0-9a-fA-F]{40})\n." % word, line, re.DOTALL)
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
    keys = [entry.name + b"/" if entry.type == TREE else entry.name for entry in entries]
    if any(left >= right for left, right in itertools.pairwise(keys)):
        raise Fault(f"tree {tree.hex()} is not sorted")
    # A file and a folder of one name need not be neighbours.
    if len({entry.name for entry in entries}) != len(entries):
        raise Fault(f"tree {tree.hex()} has two entries of one name")


def _show(name: bytes) -> str:
    return repr(name[:80])[1:]
