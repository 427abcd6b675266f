"""A tree as an image's file, or what differs from the image that it was made of.

Nobody changes the tree meanwhile, but a stranger wrote it: names are looked up in the folder that
is open, and no link is followed. Sockets and devices don't go along.
"""

import os
import stat
import tarfile
from dataclasses import dataclass, field
from typing import IO

from paas.node.images.layers import GONE, XATTR, Refused

_NOFOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW
_DEPTH_MAX = 400
_CHUNK_BYTES = 1024 * 1024


def pack(tree: str, origin: str | None, target: IO[bytes]) -> None:
    """Write a tree that nobody changes meanwhile; with an origin, what differs. Raises Refused."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        new = os.open(tree, _LOOK)
        old = os.open(origin, _LOOK) if origin else None
        try:
            _Packing(archive).folder(new, old, ".", os.fstat(new), 0)
        finally:
            os.close(new)
            if old is not None:
                os.close(old)


@dataclass
class _Packing:
    archive: tarfile.TarFile
    links: dict[tuple[int, int], str] = field(default_factory=dict)

    def folder(
        self, new: int, old: int | None, path: str, found: os.stat_result, depth: int
    ) -> None:
        if depth > _DEPTH_MAX:
            raise Refused(f"the machine's folders are nested more than {_DEPTH_MAX} deep")
        before = os.fstat(old) if old is not None else None
        if before is None or path == "." or _outside(before) != _outside(found):
            self._add(_info(path, found, tarfile.DIRTYPE))
        names = sorted(os.listdir(new))
        if old is not None:
            for name in sorted(set(os.listdir(old)) - set(names)):
                gone = tarfile.TarInfo(f"{path}/{GONE}{name}")
                gone.mode = 0o644
                self._add(gone)
        for name in names:
            if name.startswith(GONE):
                raise Refused(f"the machine has a file {path}/{name}: .wh. means a deleted one")
            self._entry(new, old, name, f"{path}/{name}", depth)

    def _entry(self, new: int, old: int | None, name: str, path: str, depth: int) -> None:
        found = os.stat(name, dir_fd=new, follow_symlinks=False)
        before = _stat(name, old)
        if stat.S_ISDIR(found.st_mode):
            inner = os.open(name, _LOOK, dir_fd=new)
            same = before is not None and stat.S_ISDIR(before.st_mode)
            under = os.open(name, _LOOK, dir_fd=old) if same else None
            try:
                self.folder(inner, under, path, found, depth + 1)
            finally:
                os.close(inner)
                if under is not None:
                    os.close(under)
        elif stat.S_ISLNK(found.st_mode):
            text = os.readlink(name, dir_fd=new)
            if (
                before is None
                or not stat.S_ISLNK(before.st_mode)
                or os.readlink(name, dir_fd=old) != text
                or _outside(before) != _outside(found)
            ):
                info = _info(path, found, tarfile.SYMTYPE)
                info.linkname = text
                self._add(info)
        elif stat.S_ISREG(found.st_mode):
            self._file(new, old, name, path, found, before)
        elif stat.S_ISFIFO(found.st_mode):
            self._add(_info(path, found, tarfile.FIFOTYPE))

    def _file(
        self,
        new: int,
        old: int | None,
        name: str,
        path: str,
        found: os.stat_result,
        before: os.stat_result | None,
    ) -> None:
        key = (found.st_dev, found.st_ino)
        first = self.links.get(key)
        if found.st_nlink > 1:
            self.links.setdefault(key, path)
        with open(os.open(name, os.O_RDONLY | _NOFOLLOW, dir_fd=new), "rb") as content:
            if before is not None and _unchanged(content, found, before, name, old):
                return
            content.seek(0)
            if first is not None:
                info = _info(path, found, tarfile.LNKTYPE)
                info.linkname = first
                self._add(info)
                return
            info = _info(path, found, tarfile.REGTYPE)
            info.size = found.st_size
            info.pax_headers = _attributes(content.fileno())
            self._add(info, content)

    def _add(self, info: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        self.archive.addfile(info, content)
        self.archive.members = []  # type: ignore[attr-defined]


def _stat(name: str, folder: int | None) -> os.stat_result | None:
    if folder is None:
        return None
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _outside(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_mode, found.st_uid, found.st_gid)


def _unchanged(
    content: IO[bytes], found: os.stat_result, before: os.stat_result, name: str, old: int | None
) -> bool:
    """A time tells nothing: who writes a file can set it. What a clone shares with its origin has
    the same number, and time of the last change.
    """
    if _outside(found) != _outside(before) or found.st_size != before.st_size:
        return False
    if (found.st_ino, found.st_ctime_ns) == (before.st_ino, before.st_ctime_ns):
        return True
    if found.st_mtime_ns != before.st_mtime_ns:
        return False
    with open(os.open(name, os.O_RDONLY | _NOFOLLOW, dir_fd=old), "rb") as other:
        if _attributes(content.fileno()) != _attributes(other.fileno()):
            return False
        while part := content.read(_CHUNK_BYTES):
            if other.read(_CHUNK_BYTES) != part:
                return False
    return True


def _attributes(file: int) -> dict[str, str]:
    try:
        names = [name for name in os.listxattr(file) if name.startswith("user.")]
        return {
            XATTR + name: os.getxattr(file, name).decode("utf-8", "surrogateescape")
            for name in names
        }
    except OSError:
        return {}


def _info(path: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode = kind, stat.S_IMODE(found.st_mode)
    info.uid, info.gid, info.mtime = found.st_uid, found.st_gid, found.st_mtime
    return info
