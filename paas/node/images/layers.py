"""An image's file, a tar, into a tree; `packing` is the reverse.

A file of an incremental image is laid over its origin: what is no more is named by an empty entry
`.wh.<name>`, as in OCI's layers. Ids are the machine's own; of extended attributes `user.*` go
along. It is safe only for who is shut into the tree (`/` is the tree's): links may lead anywhere.
"""

import bz2
import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
from dataclasses import dataclass, field
from typing import IO, cast

GONE = ".wh."
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IDS_MAX = 65536
_CHUNK_BYTES = 1024 * 1024
_TEXT_BYTES_MAX = 256 * 1024
XATTR = "SCHILY.xattr."
_ZFS_MAGIC = b"\xac\xcb\xba\xf5\x02\x00\x00\x00"
_TEXT_TYPES = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_NO_XATTR = (errno.ENOTSUP, errno.EPERM, errno.EACCES)


class Refused(Exception):
    """The stream or the tree can't be used; the message says why, in plain text."""


@dataclass(frozen=True)
class Bounds:
    bytes: int
    entries: int = 2_000_000


def opened(source: IO[bytes], compression: str) -> IO[bytes]:
    """The tar within a file. Raises what the decompressors do, later."""
    if compression == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=source, mode="rb"))
    if compression == "bzip2":
        return bz2.BZ2File(source, "rb")
    if compression == "xz":
        return lzma.LZMAFile(source, "rb")
    return source


class _Header(tarfile.TarInfo):
    """A header whose own text fits in memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        if bytes(buf[8:16]) == _ZFS_MAGIC:
            raise Refused("it is a ZFS stream, and this node takes images as tar files")
        header = super().frombuf(buf, encoding, errors)
        if header.type in _TEXT_TYPES and header.size > _TEXT_BYTES_MAX:
            raise Refused(f"it has a header of {header.size} bytes")
        return header


@dataclass
class _Tree:
    """The tree below the working directory, as far as it was written."""

    layered: bool
    folders: set[str] = field(default_factory=lambda: {"."})
    times: dict[str, int] = field(default_factory=dict)
    """Of folders: set at the end, because what is put into one changes it."""


def unpack(source: IO[bytes], bounds: Bounds, *, layered: bool) -> None:
    """Make the working directory, which is the caller's root, what the tar says. Raises Refused,
    and OSError for what the file system doesn't allow.
    """
    tree, total = _Tree(layered), 0
    try:
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Header) as archive:
            for entries, member in enumerate(archive, start=1):
                total += max(member.size, 0)
                if total > bounds.bytes or entries > bounds.entries:
                    raise Refused(f"it holds more than {bounds.bytes} bytes or {entries - 1} files")
                _put(archive, member, tree)
                archive.members = []  # type: ignore[attr-defined]
        while source.read(_CHUNK_BYTES):
            pass
    except (tarfile.TarError, EOFError, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
        raise Refused(f"it is no whole tar: {error}") from error
    except (MemoryError, RecursionError, OverflowError) as error:
        raise Refused(f"it can't be read: {type(error).__name__}") from error
    except OSError as error:
        if error.errno is None:  # Of a decompressor.
            raise Refused(f"it is no whole tar: {error}") from error
        raise
    if not tree.times:
        raise Refused("it holds no folder")
    for name, time_ns in tree.times.items():
        os.utime(name, ns=(time_ns, time_ns), follow_symlinks=False)


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, tree: _Tree) -> None:
    name = _name(member.name)
    if not (0 <= member.uid < _IDS_MAX and 0 <= member.gid < _IDS_MAX):
        raise Refused(f"{name!r:.200} belongs to {member.uid}:{member.gid}, which no machine has")
    above, base = os.path.split(name)
    _make_above(above, tree)
    if base.startswith(GONE):
        if not tree.layered:
            raise Refused(f"{name!r:.200} is for images that have an origin")
        _remove(os.path.join(above, base.removeprefix(GONE)) if base != GONE else "", tree)
        return
    if member.isdir():
        _make_folder(name, tree)
    elif name == ".":
        raise Refused("its root is no folder")
    else:
        _remove(name, tree)
        _make(archive, member, name)
    _dress(member, name)
    if member.isdir():
        tree.times[name] = _nanoseconds(member.mtime)


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
    if member.issym():
        os.symlink(member.linkname, name)
    elif member.islnk():
        source = _name(member.linkname)
        if not _is(source, stat.S_IFREG) and not _is(source, stat.S_IFLNK):
            raise Refused(f"{name!r:.200} is a link to {source!r:.200}, which is no file before it")
        _refuse_links(os.path.dirname(source))
        os.link(source, name, follow_symlinks=False)
    elif member.isfifo():
        os.mkfifo(name, 0o600)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        with open(os.open(name, _MAKE, 0o600), "wb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)
    else:
        raise Refused(f"{name!r:.200} is neither a file, a folder, a link nor a pipe")


def _dress(member: tarfile.TarInfo, name: str) -> None:
    """Owner, rights, time and attributes; a hard link has those of its file."""
    if member.islnk():
        return
    os.chown(name, member.uid, member.gid, follow_symlinks=False)
    if member.issym():
        return
    os.chmod(name, member.mode & 0o7777)
    for key, value in member.pax_headers.items():
        if key.startswith(XATTR + "user."):
            _set_attribute(name, key.removeprefix(XATTR), value)
    time_ns = _nanoseconds(member.mtime)
    os.utime(name, ns=(time_ns, time_ns))


def _set_attribute(name: str, key: str, value: str) -> None:
    try:
        os.setxattr(name, key, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_XATTR:
            raise


def _nanoseconds(time_s: float) -> int:
    return min(max(int(time_s * 1_000_000_000), 0), 2**62)


def _name(text: str) -> str:
    """Relative, without `.` and `..`. Raises Refused."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts or "\0" in text:
        raise Refused(f"it names {text!r:.200}, which leads out of it")
    return "/".join(parts) or "."


def _make_above(name: str, tree: _Tree) -> None:
    if name and name not in tree.folders:
        _make_above(os.path.dirname(name), tree)
        if not _is(name, stat.S_IFDIR):
            if os.path.lexists(name):
                raise Refused(f"it puts things below {name!r:.200}, no folder")
            os.mkdir(name, 0o755)
        tree.folders.add(name)


def _make_folder(name: str, tree: _Tree) -> None:
    if name != "." and not _is(name, stat.S_IFDIR):
        _remove(name, tree)
        os.mkdir(name, 0o700)
    tree.folders.add(name)


def _remove(name: str, tree: _Tree) -> None:
    if not name or name == ".":
        raise Refused("it takes its own root away")
    if _is(name, stat.S_IFDIR):
        if not tree.layered:
            raise Refused(f"it names {name!r:.200} twice")
        shutil.rmtree(name)
        inside = name + "/"
        tree.folders = {f for f in tree.folders if f != name and not f.startswith(inside)}
        tree.times = {f: t for f, t in tree.times.items() if f != name and not f.startswith(inside)}
    elif os.path.lexists(name):
        os.unlink(name)


def _refuse_links(name: str) -> None:
    while name:
        if not _is(name, stat.S_IFDIR):
            raise Refused(f"it reaches through {name!r:.200}, no folder")
        name = os.path.dirname(name)


def _is(name: str, kind: int) -> bool:
    try:
        return stat.S_IFMT(os.lstat(name).st_mode) == kind
    except (FileNotFoundError, NotADirectoryError):
        return False
