"""Reads commits and files from a repository's objects, and makes, points and deletes repositories.

Nothing is ever checked out: what a tenant wrote stays inside git's objects, and names are bytes.
All functions block; async callers run them in threads. `path` is a bare repository.
"""

import os
import re
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from dulwich.objects import ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from gitserver import refchanges, references
from gitserver.interface import RefUpdate
from gitserver.objects import structures
from gitserver.objects.packfile import BLOB, COMMIT
from gitserver.objects.sizes import Sizes

FOLDER = 0o040000
SUBMODULE = 0o160000
SYMLINK = 0o120000
_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, symbolic link or submodule of a commit; folders have no entries of their own.

    `path` is relative, with slashes. `id` has 40 hexadecimal digits: a blob, or a
    submodule's commit.
    """

    path: bytes
    mode: int
    id: str

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_submodule(self) -> bool:
        return stat.S_IFMT(self.mode) == SUBMODULE

    @property
    def is_executable(self) -> bool:
        return stat.S_ISREG(self.mode) and bool(self.mode & 0o100)


@dataclass(frozen=True)
class Changes:
    """What turns one commit's files into another's. First delete, then write.

    A path whose kind changed (a file that became a link or a folder) is in both lists.
    """

    changed: list[Entry]
    deleted: list[bytes]


def init(path: Path) -> None:
    """Makes an empty bare repository whose HEAD is `refs/heads/main`; nothing when it is there."""
    if (path / "HEAD").exists():
        return
    path.mkdir(parents=True, exist_ok=True)
    # HEAD is written last by rename: a repository that was half made is made again.
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    (path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    head = path / "HEAD.new"
    head.write_text("ref: refs/heads/main\n")
    head.rename(path / "HEAD")


def delete(path: Path) -> None:
    """Removes the repository; nothing when it is gone."""
    try:
        gone = path.with_name(f".{path.name}.deleted")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        shutil.rmtree(gone)
    except FileNotFoundError:
        return


def resolve(path: Path, ref: str) -> str | None:
    """The commit of a ref (`main`, `refs/heads/main`, a tag, `HEAD`) or of a commit's id.

    Of an id the first digits are enough, where no other commit has them.
    """
    with _open(path) as repository:
        for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}"):
            id = _read_ref(repository, name)
            if id is not None:
                return _peel(repository, id)
        if _is_id(ref):
            return _peel(repository, ObjectID(ref.encode()))
        return _by_first_digits(repository, ref) if _ABBREVIATED.fullmatch(ref) else None


def set_ref(path: Path, name: str, commit: str | None) -> None:
    """Points the ref (full name) at the commit, whatever it was before; None deletes it.

    Raises OSError when it can't be written.
    """
    with _open(path) as repository:
        now = repository.refs.read_ref(Ref(references.encode_name(name)))
    change = RefUpdate(name, now.decode() if now else None, commit)
    reason = refchanges.update(path, [change], atomic=True)[name]
    if reason:
        raise OSError(f"{name}: {reason}")


def set_head(path: Path, name: str) -> None:
    """Which branch (full name) a clone begins with, also when there is none of that name yet."""
    if refchanges.refusal(references.encode_name(name), ()) is not None:
        raise ValueError(name)
    head = path / "HEAD.new"
    head.write_text(f"ref: {name}\n")
    head.rename(path / "HEAD")


def move_ref(path: Path, change: RefUpdate) -> str | None:
    """None when the ref was at `old` and is at `new` now; else why it stays."""
    return refchanges.update(path, [change], atomic=True)[change.name]


def commit_message(path: Path, commit: str) -> str:
    """Raises KeyError for no commit."""
    with _open(path) as repository:
        message = structures.commit_message(_content(repository, COMMIT, ObjectID(commit.encode())))
    return message.decode("utf-8", "replace")


def commit_subject(path: Path, commit: str) -> str:
    """The first line of the commit's message. Raises KeyError for no commit."""
    lines = commit_message(path, commit).strip().splitlines()
    return lines[0] if lines else ""


def entry(path: Path, commit: str, name: bytes) -> Entry | None:
    """What is at a path of the commit, a folder too; None where nothing is."""
    with _open(path) as repository:
        id, mode = _root(repository, commit), FOLDER
        for part in name.split(b"/"):
            tree = repository.object_store[id] if stat.S_ISDIR(mode) else None
            if not isinstance(tree, Tree) or part not in tree:
                return None
            mode, id = tree[part]
    return Entry(name, mode, id.decode())


def read_file(path: Path, commit: str, name: str | bytes, limit_bytes: int) -> bytes | None:
    """A file's content, or None when the commit has no regular file of that name.

    Symbolic links are not followed. Raises ValueError when it is over the limit.
    """
    found = entry(path, commit, name.encode() if isinstance(name, str) else name)
    if found is None or not found.is_file:
        return None
    with _open(path) as repository:
        content = _blob(repository, ObjectID(found.id.encode()))
    if len(content) > limit_bytes:
        raise ValueError(f"{name!r} has {len(content)} bytes, over the limit of {limit_bytes}")
    return content


def missing(path: Path, ids: Iterable[str]) -> list[str]:
    """Those of the objects (40 hexadecimal digits each) that the repository lacks."""
    with _open(path) as repository:
        return [id for id in ids if ObjectID(id.encode()) not in repository.object_store]


def small_files(
    path: Path, entries: Iterable[Entry], limit_bytes: int
) -> Iterator[tuple[Entry, bytes]]:
    """Those of the files that have no more bytes, with their contents."""
    with _open(path) as repository, Sizes(repository.object_store) as sizes:
        for entry in entries:
            id = ObjectID(entry.id.encode())
            if sizes.of(id) <= limit_bytes:
                yield entry, _blob(repository, id)


def entries(path: Path, commit: str) -> Iterator[Entry]:
    """All files of a commit in git's order, as they are read; folders are walked, not listed."""
    with _open(path) as repository:
        yield from _walk(repository, _root(repository, commit), b"")


def changes(path: Path, old_commit: str | None, new_commit: str) -> Changes:
    """What changed between two commits; folders that are equal are not read."""
    with _open(path) as repository:
        old = _root(repository, old_commit) if old_commit else None
        found = Changes([], [])
        _compare(repository, old, _root(repository, new_commit), found)
    return found


def tree_bytes(path: Path, commit: str, limit_bytes: int | None = None) -> int:
    """The size of all files of a commit. Stops counting once it is over the limit."""
    total = 0
    with _open(path) as repository, Sizes(repository.object_store) as sizes:
        for entry in _walk(repository, _root(repository, commit), b""):
            if not entry.is_submodule:
                total += sizes.of(ObjectID(entry.id.encode()))
            if limit_bytes is not None and total > limit_bytes:
                break
    return total


def write_tar(
    path: Path,
    entries: Iterable[Entry],
    out: BinaryIO,
    *,
    modified_s: int = 0,
    elsewhere: Mapping[bytes, Path] = MappingProxyType({}),
) -> list[bytes]:
    """Streams the entries as a tar (GNU) to `out`; the paths of submodules, which are left out.

    `elsewhere` has the files of the host whose contents take the place of those of the entries of
    these paths.

    Files are 0644 or 0755, owner 0, all with one modification time (seconds since the epoch).
    At most one file is in memory at a time. GNU's format takes names that are not UTF-8 as they
    are. Raises KeyError for an object that is not there.
    """
    submodules = []
    with (
        _open(path) as repository,
        tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for entry in entries:
            if entry.is_submodule:
                submodules.append(entry.path)
            elif entry.path in elsewhere:
                with elsewhere[entry.path].open("rb") as content:
                    size = os.fstat(content.fileno()).st_size
                    _add_file(tar, entry, content, size, modified_s)
            else:
                _add(tar, entry, _blob(repository, ObjectID(entry.id.encode())), modified_s)
    return submodules


def _open(path: Path) -> Repo:
    return Repo(str(path), bare=True)


def _is_id(text: str) -> bool:
    return len(text) == 40 and all(digit in "0123456789abcdef" for digit in text)


def _by_first_digits(repository: Repo, digits: str) -> str | None:
    ids = repository.object_store.iter_prefix(digits.encode())
    found = {id for id in ids if repository.object_store.get_raw(id)[0] == COMMIT}
    return found.pop().decode() if len(found) == 1 else None


def _read_ref(repository: Repo, name: str) -> ObjectID | None:
    if name != "HEAD" and refchanges.refusal(references.encode_name(name), ()) is not None:
        return None
    try:
        return repository.refs[Ref(references.encode_name(name))]
    except KeyError:
        return None


def _peel(repository: Repo, id: ObjectID) -> str | None:
    try:
        end = structures.peel(repository.object_store.get_raw, id)
    except KeyError:
        return None
    return end.id.hex() if end.type == COMMIT else None


def _root(repository: Repo, commit: str) -> ObjectID:
    """The tree of a commit, whose author and dates may be anything. Raises KeyError for none."""
    content = _content(repository, COMMIT, ObjectID(commit.encode()))
    tree, _ = structures.commit_links(bytes.fromhex(commit), content)
    return ObjectID(tree.hex().encode())


def _content(repository: Repo, type: int, id: ObjectID) -> bytes:
    found, content = repository.object_store.get_raw(id)
    if found != type:
        raise KeyError(id)
    return bytes(content)


def _blob(repository: Repo, id: ObjectID) -> bytes:
    return _content(repository, BLOB, id)


def _tree(repository: Repo, id: ObjectID) -> Tree:
    found = repository.object_store[id]
    if not isinstance(found, Tree):
        raise KeyError(id)
    return found


def _walk(repository: Repo, root: ObjectID, prefix: bytes) -> Iterator[Entry]:
    stack = [(prefix, iter(_tree(repository, root).items()))]
    while stack:
        prefix, items = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
        elif stat.S_ISDIR(item.mode):
            below = iter(_tree(repository, item.sha).items())
            stack.append((prefix + item.path + b"/", below))
        else:
            yield Entry(prefix + item.path, item.mode, item.sha.decode())


def _compare(repository: Repo, old: ObjectID | None, new: ObjectID | None, found: Changes) -> None:
    stack = [(old, new, b"")]
    while stack:
        old, new, prefix = stack.pop()
        if old == new:
            continue
        before = _items(repository, old)
        after = _items(repository, new)
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            was_tree = was[1] if was and stat.S_ISDIR(was[0]) else None
            now_tree = now[1] if now and stat.S_ISDIR(now[0]) else None
            if was_tree or now_tree:
                stack.append((was_tree, now_tree, prefix + name + b"/"))
            _note(was, now, prefix + name, found)


def _note(
    was: tuple[int, ObjectID] | None,
    now: tuple[int, ObjectID] | None,
    path: bytes,
    found: Changes,
) -> None:
    kind_before = stat.S_IFMT(was[0]) if was else FOLDER
    kind_now = stat.S_IFMT(now[0]) if now else None
    if kind_before not in (FOLDER, kind_now):
        found.deleted.append(path)
    if now is not None and not stat.S_ISDIR(now[0]):
        found.changed.append(Entry(path, now[0], now[1].decode()))


def _items(repository: Repo, id: ObjectID | None) -> dict[bytes, tuple[int, ObjectID]]:
    if id is None:
        return {}
    return {item.path: (item.mode, item.sha) for item in _tree(repository, id).items()}


def _add(tar: tarfile.TarFile, entry: Entry, content: bytes, modified_s: int) -> None:
    if not entry.is_symlink:
        _add_file(tar, entry, BytesIO(content), len(content), modified_s)
        return
    member = _member(entry, modified_s)
    member.type = tarfile.SYMTYPE
    member.mode = 0o777
    member.linkname = content.decode("utf-8", "surrogateescape")
    tar.addfile(member)


def _add_file(
    tar: tarfile.TarFile, entry: Entry, content: BinaryIO, size_bytes: int, modified_s: int
) -> None:
    member = _member(entry, modified_s)
    member.mode = 0o755 if entry.is_executable else 0o644
    member.size = size_bytes
    tar.addfile(member, content)


def _member(entry: Entry, modified_s: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path.decode("utf-8", "surrogateescape"))
    member.mtime = modified_s
    return member
