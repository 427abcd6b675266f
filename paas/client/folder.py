"""A folder as git would commit it: its files with their modes and ids, and what is left out.

It leaves out what the folder's `.gitignore` files say (and those above it, up to the root of a git
repository), `node_modules` and the folders of version control. Nothing outside the folder is read:
symbolic links are links. Names are bytes, as git has them.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paas.client import ignoring
from paas.client.ignoring import Rule
from paas.errors import UserError

ALWAYS_LEFT_OUT = (b".git", b".hg", b".svn", b"node_modules")
FILES_MAX = 500_000
FILE_BYTES_MAX = 512 * 1024 * 1024
IGNORE_FILE_BYTES_MAX = 1024 * 1024
FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a symbolic link. `path` is relative, `id` is that of its blob, in hex."""

    path: bytes
    mode: int
    bytes: int
    id: str


@dataclass(frozen=True)
class Folder:
    root: Path
    entries: list[Entry]
    left_out: list[tuple[bytes, str]]
    """Each with the reason; folders, which end with a slash, as a whole."""

    @property
    def size_bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The content. Raises UserError where it is not what it was."""
        seen = _blob_hash(entry.bytes)
        try:
            for part in _content(self.root, entry.path, entry.mode):
                seen.update(part)
                yield part
        except OSError as error:
            raise _unreadable(entry.path, error) from error
        if seen.hexdigest() != entry.id:
            raise _changed(entry.path)


def read(root: Path) -> Folder:
    """Raises UserError for what can't be read."""
    found = Folder(root, [], [])
    inside = _repository(root)
    above = os.fsencode(root.relative_to(inside)).removeprefix(b".")
    _walk(found, above + b"/" if above else b"", _rules_above(root, inside))
    return found


def _walk(found: Folder, above: bytes, groups: list[list[Rule]]) -> None:
    """`above` is the way from the repository's root to the folder: rules count paths from there."""
    stack = [(b"", groups)]
    while stack:
        prefix, groups = stack.pop()
        place = os.fsencode(found.root) + b"/" + prefix + b".gitignore"
        groups = [_rules(place, above + prefix), *groups]
        for item in _listed(found.root, prefix):
            path = prefix + item.name
            is_folder = item.is_dir(follow_symlinks=False)
            named = path + b"/" if is_folder else path
            if item.name in ALWAYS_LEFT_OUT:
                found.left_out.append((named, "always"))
            elif ignoring.is_ignored(above + path, is_folder, groups):
                found.left_out.append((named, ".gitignore"))
            elif is_folder:
                stack.append((named, groups))
            else:
                _add(found, path)


def _repository(root: Path) -> Path:
    """The root of the git repository that the folder lies in; itself where it lies in none."""
    return next((at for at in (root, *root.parents) if (at / ".git").exists()), root)


def _rules_above(root: Path, inside: Path) -> list[list[Rule]]:
    """Of the folders between, the nearest first; then what the repository has for itself."""
    found = [_rules(os.fsencode(inside / ".git/info/exclude"), b"")]
    base = b""
    for part in root.relative_to(inside).parts:
        found.insert(0, _rules(os.fsencode(inside) + b"/" + base + b".gitignore", base))
        base += os.fsencode(part) + b"/"
    return found


def _listed(root: Path, prefix: bytes) -> list["os.DirEntry[bytes]"]:
    try:
        with os.scandir(os.fsencode(root) + b"/" + prefix) as items:
            return sorted(items, key=lambda item: item.name)
    except OSError as error:
        raise _unreadable(prefix, error) from error


def _add(found: Folder, path: bytes) -> None:
    try:
        status = os.lstat(os.fsencode(found.root) + b"/" + path)
        mode = _mode(status.st_mode)
        if mode is None:
            found.left_out.append((path, "not a file"))
            return
        if len(found.entries) >= FILES_MAX:
            raise UserError(
                "folder", f"The folder has over {FILES_MAX:,} files.", "Name the app's own folder."
            )
        if status.st_size > FILE_BYTES_MAX:
            raise UserError(
                "folder",
                f"{shown(path)} has over {FILE_BYTES_MAX >> 20} MiB.",
                "Put it into .gitignore: large files belong in a store of their own.",
            )
        seen = _blob_hash(status.st_size)
        length = 0
        for part in _content(found.root, path, mode):
            seen.update(part)
            length += len(part)
    except OSError as error:
        raise _unreadable(path, error) from error
    if length != status.st_size:
        raise _changed(path)
    found.entries.append(Entry(path, mode, length, seen.hexdigest()))


def _mode(mode: int) -> int | None:
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return None
    return PROGRAM if mode & 0o100 else FILE


def _content(root: Path, path: bytes, mode: int) -> Iterator[bytes]:
    place = os.fsencode(root) + b"/" + path
    if mode == LINK:
        yield os.readlink(place)  # noqa: PTH115 - a Path would write it otherwise
        return
    # What was a file a moment ago may be a link or a FIFO now.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        while part := file.read(_READ_BYTES):
            yield part


def _blob_hash(length: int) -> "hashlib._Hash":
    return hashlib.sha1(b"blob %d\0" % length, usedforsecurity=False)


def _rules(place: bytes, base: bytes) -> list[Rule]:
    try:
        # git does not follow a link here either.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return ignoring.rules(file.read(IGNORE_FILE_BYTES_MAX), base)
    except OSError:
        return []


def shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _changed(path: bytes) -> UserError:
    return UserError(
        "folder", f"{shown(path)} has changed while it was read.", "Run the command again."
    )


def _unreadable(path: bytes, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(
        "folder",
        f"{shown(path) or 'The folder'} can't be read: {reason}.",
        "Mend that, or put it into .gitignore.",
    )
