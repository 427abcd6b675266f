"""A tree is turned into another: what is no more in it is deleted, then files are written.

The stream: four bytes of length (network order) and so many bytes of names, each ended by a NUL:
what is to be deleted; then a tar as GNU writes it, of files and symbolic links with relative names.

The tree may have been written by a stranger, and so may the stream. Every name is looked up in the
folder that is open, one at a time: no link is followed, nothing that exists is written to, and
whatever stands where a file or a folder has to be is removed first. That nobody else is at work in
the tree, and that its `/` is the end of the world, is the caller's matter.

A push waits until this is loaded, so it takes of the standard library only what loads at once.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH = struct.Struct("!I")
_NAMES_BYTES_MAX = 64 * 1024**2
_PATH_BYTES_MAX = 4096
_BLOCK_BYTES = 512
_CHUNK_BYTES = 256 * 1024
_FILE, _OLD_FILE, _SYMLINK, _LONG_NAME, _LONG_LINK = b"0", b"\0", b"2", b"L", b"K"
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """The stream is none, or asks for more than it may. The message is plain text."""


class Bounds:
    """How much may be written, and how many names a stream may have."""

    def __init__(self, size_bytes: int, entries: int) -> None:
        self.size_bytes = size_bytes
        self.entries = entries


def apply(stream: int, folder: int, bounds: Bounds) -> None:
    """Read the stream to its end, and make the tree in the open folder what it says.

    Raises Refused, and OSError for what the file system or the tree's owners don't allow.
    """
    tree, entries = _Tree(folder), 0
    for path in _deletions(stream):
        entries = _count(entries, bounds)
        tree.delete(_parts(path))
    total_bytes = 0
    for member in _members(stream):
        entries = _count(entries, bounds)
        total_bytes += member.size_bytes
        if total_bytes > bounds.size_bytes:
            raise Refused(f"the files have more than {bounds.size_bytes} bytes")
        _write(stream, tree, member)
    _read_rest(stream)


def _count(entries: int, bounds: Bounds) -> int:
    if entries >= bounds.entries:
        raise Refused(f"there are more than {bounds.entries} names")
    return entries + 1


class _Tree:
    """The folder and those below it that lead to the path that was last asked for, all open."""

    def __init__(self, folder: int) -> None:
        self._root = folder
        self._open: list[tuple[bytes, int]] = []

    def delete(self, parts: list[bytes]) -> None:
        """Remove what is there, and the folders above it that are empty then."""
        folder = self._find(parts[:-1], make=False)
        if folder is None:
            return
        _remove(folder, parts[-1])
        while self._open:
            name, folder = self._open[-1]
            above = self._open[-2][1] if len(self._open) > 1 else self._root
            try:
                os.rmdir(name, dir_fd=above)
            except OSError:
                return
            self._open.pop()
            os.close(folder)

    def clear_place(self, parts: list[bytes]) -> int:
        """The folder for a new file, in which nothing has its name any more."""
        folder = self._find(parts[:-1], make=True)
        assert folder is not None
        _remove(folder, parts[-1])
        return folder

    def _find(self, parts: list[bytes], *, make: bool) -> int | None:
        """The open folder; without `make` there may be none."""
        same = 0
        while same < min(len(parts), len(self._open)) and self._open[same][0] == parts[same]:
            same += 1
        for _, folder in self._open[same:]:
            os.close(folder)
        del self._open[same:]
        for name in parts[same:]:
            folder = self._open[-1][1] if self._open else self._root
            below = _enter_or_make(folder, name) if make else _enter(folder, name)
            if below is None:
                return None
            self._open.append((name, below))
        return self._open[-1][1] if self._open else self._root


def _enter(folder: int, name: bytes) -> int | None:
    """The folder of that name, in which its owner may do everything; None when it is none."""
    try:
        found = os.open(name, _LOOK, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        # Its owner's, who took the permissions away: no link, that would be no folder.
        os.chmod(name, 0o755, dir_fd=folder)
        found = os.open(name, _LOOK, dir_fd=folder)
    mode = os.fstat(found).st_mode
    if mode & 0o700 != 0o700:
        os.fchmod(found, mode & 0o777 | 0o700)
    return found


def _enter_or_make(folder: int, name: bytes) -> int:
    found = _enter(folder, name)
    if found is None:
        _remove(folder, name)
        os.mkdir(name, 0o755, dir_fd=folder)
        found = os.open(name, _LOOK, dir_fd=folder)
    return found


def _remove(folder: int, name: bytes) -> None:
    """Whatever it is, with all that is in it; fine if there is nothing."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        _remove_folder(folder, name)


def _remove_folder(folder: int, name: bytes) -> None:
    """One folder is open at a time, however deep it goes: nobody moves them meanwhile."""
    here, path = _entered(folder, name), [name]
    try:
        while path:
            below = _unlink_files(here)
            if below is not None:
                here = _instead(here, _entered(here, below))
                path.append(below)
            else:
                here = _instead(here, os.open("..", _LOOK, dir_fd=here))
                os.rmdir(path.pop(), dir_fd=here)
    finally:
        os.close(here)


def _unlink_files(folder: int) -> bytes | None:
    """Unlink what is no folder, up to the first one that is: its name, or None."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                return os.fsencode(entry.name)
            os.unlink(entry.name, dir_fd=folder)
    return None


def _entered(folder: int, name: bytes) -> int:
    found = _enter(folder, name)
    if found is None:
        raise FileNotFoundError(f"{name!r} is gone")
    return found


def _instead(before: int, after: int) -> int:
    os.close(before)
    return after


class _Member:
    """`link` is where a symbolic link leads, None for a file."""

    def __init__(
        self,
        path: bytes,
        size_bytes: int,
        link: bytes | None,
        *,
        is_executable: bool,
        modified_s: int,
    ) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.link = link
        self.is_executable = is_executable
        self.modified_s = modified_s


def _write(stream: int, tree: _Tree, member: _Member) -> None:
    parts = _parts(member.path)
    folder = tree.clear_place(parts)
    if member.link is not None:
        os.symlink(member.link, parts[-1], dir_fd=folder)
        return
    mode = 0o755 if member.is_executable else 0o644
    file = os.open(parts[-1], _MAKE, mode, dir_fd=folder)
    try:
        for chunk in _content(stream, member.size_bytes):
            _write_all(file, chunk)
        os.utime(file, (member.modified_s, member.modified_s))
    finally:
        os.close(file)


def _write_all(file: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest) :]


def _parts(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    if len(path) > _PATH_BYTES_MAX or b"\0" in path or {b"", b".", b".."} & set(parts):
        raise Refused(f"{path!r:.200} is no name inside the tree")
    return parts


def _deletions(stream: int) -> Iterator[bytes]:
    (length,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    if length > _NAMES_BYTES_MAX:
        raise Refused(f"the names of what is to be deleted have {length} bytes")
    names = _exactly(stream, length)
    if names and not names.endswith(b"\0"):
        raise Refused("the last name of what is to be deleted has no end")
    start = 0
    while start < length:
        end = names.index(b"\0", start)
        yield names[start:end]
        start = end + 1


def _members(stream: int) -> Iterator[_Member]:
    """Files and links as they come; a file's content is to be read before the next is asked for."""
    path = link = None
    while (header := _exactly(stream, _BLOCK_BYTES)) != bytes(_BLOCK_BYTES):
        kind, size_bytes = header[156:157], _number(header[124:136])
        if kind in (_LONG_NAME, _LONG_LINK):
            if size_bytes > _PATH_BYTES_MAX + 1:
                raise Refused(f"the archive has a name of {size_bytes} bytes")
            text = b"".join(_content(stream, size_bytes)).rstrip(b"\0")
            path, link = (text, link) if kind == _LONG_NAME else (path, text)
            continue
        if kind not in (_FILE, _OLD_FILE, _SYMLINK) or (kind == _SYMLINK and size_bytes):
            raise Refused(f"the archive has an entry of type {kind!r}")
        yield _Member(
            path=_text(header[:100]) if path is None else path,
            size_bytes=size_bytes,
            is_executable=bool(_number(header[100:108]) & 0o100),
            link=(_text(header[157:257]) if link is None else link) if kind == _SYMLINK else None,
            modified_s=_number(header[136:148]),
        )
        path = link = None


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Octal digits, or (GNU) a first bit that is set and then the number itself."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise Refused(f"the archive has {field!r} where a number belongs") from None


def _content(stream: int, size_bytes: int) -> Iterator[bytes]:
    """So many bytes, and without showing it the padding to a whole block."""
    left = size_bytes
    while left:
        chunk = _some(stream, min(left, _CHUNK_BYTES))
        left -= len(chunk)
        yield chunk
    _exactly(stream, -size_bytes % _BLOCK_BYTES)


def _exactly(stream: int, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        found += _some(stream, min(count - len(found), _CHUNK_BYTES))
    return bytes(found)


def _some(stream: int, count: int) -> bytes:
    chunk = os.read(stream, count)
    if not chunk:
        raise Refused("the stream ends too early")
    return chunk


def _read_rest(stream: int) -> None:
    """The archive's padding, so that its writer meets no closed pipe."""
    for _ in range(64):
        if not os.read(stream, _CHUNK_BYTES):
            return
    raise Refused("the stream goes on after its end")
