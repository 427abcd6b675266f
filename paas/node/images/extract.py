"""Tar archives that strangers made, unpacked into an empty folder that nobody else writes to.

What gets out is files, folders and links that stay inside, owned by root, without setuid bits;
anything else (devices, absolute or climbing paths and links, too many or too large entries)
refuses the whole.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO

from paas.node.errors import ImageError

_TEXT_BYTES_MAX = 64 * 1024
_TEXT_TYPES = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


@dataclass(frozen=True)
class Bounds:
    """How much an archive may become, so that a small one can't fill the pool."""

    bytes: int = 4 * 1024**3
    entries: int = 400_000


class _Header(tarfile.TarInfo):
    """A header whose own text (long names, extended attributes) fits in memory.

    The archive reads it before anyone could see a member; compressed, gigabytes of it are small.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.type in _TEXT_TYPES and header.size > _TEXT_BYTES_MAX:
            raise _bad(f"the archive has a header of {header.size} bytes")
        return header


@dataclass
class _Target:
    """The folder and what was put there: a path may lead through folders only, never through
    links.
    """

    root: Path
    files: set[PurePosixPath] = field(default_factory=set)
    folders: set[PurePosixPath] = field(default_factory=lambda: {PurePosixPath(".")})


def extract(
    stream: IO[bytes], root: Path, strip_components: int = 0, bounds: Bounds | None = None
) -> int:
    """Unpack a tar stream (plain, gzip, bzip2 or xz); the bytes of its files. Raises ImageError."""
    target = _Target(root)
    total = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header) as archive:
            for member in _bounded(archive, bounds or Bounds()):
                path = _inside(member.name, strip_components)
                if path is not None:
                    _unpack(archive, member, path, strip_components, target)
                    total += member.size
    except (tarfile.TarError, EOFError, OSError, UnicodeError) as error:
        raise _bad(f"the archive can't be unpacked: {error}") from error
    return total


def _bounded(archive: tarfile.TarFile, bounds: Bounds) -> Iterator[tarfile.TarInfo]:
    total = 0
    for entries, member in enumerate(archive, start=1):
        if member.size < 0:
            raise _bad(f"{member.name!r:.200} has a size of {member.size}")
        total += member.size
        if entries > bounds.entries or total > bounds.bytes:
            raise _bad(
                f"the archive holds more than {bounds.entries} entries or {bounds.bytes} bytes"
            )
        yield member
        # The archive would remember every member.
        archive.members = []  # type: ignore[attr-defined]


def _inside(name: str, strip_components: int) -> PurePosixPath | None:
    """The path below the root, or None for what stripping leaves nothing of."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise _bad(f"the archive names {name!r:.200}, which leads out of it")
    parts = path.parts[strip_components:]
    return PurePosixPath(*parts) if parts else None


def _unpack(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    path: PurePosixPath,
    strip_components: int,
    target: _Target,
) -> None:
    _make_folders(path.parent, target)
    place = target.root / path
    if path in target.folders and member.isdir():
        return
    if path in target.files or path in target.folders or os.path.lexists(place):
        raise _bad(f"the archive names {member.name!r:.200} twice")
    if member.isdir():
        _make_folders(path, target)
    elif member.issym():
        place.symlink_to(_link(member, path))
    elif member.islnk():
        source = _inside(member.linkname, strip_components)
        if source not in target.files:
            raise _bad(
                f"{member.name!r:.200} is a link to {member.linkname!r:.200}, no file before it"
            )
        os.link(target.root / source, place, follow_symlinks=False)
    elif member.isreg() and not member.issparse():
        _write(archive, member, place)
        target.files.add(path)
    else:
        raise _bad(f"{member.name!r:.200} is neither a file, a folder nor a link")


def _make_folders(path: PurePosixPath, target: _Target) -> None:
    for folder in (*reversed(path.parents), path):
        if folder not in target.folders:
            try:
                (target.root / folder).mkdir(mode=0o755)
            except FileExistsError as error:
                raise _bad(
                    f"the archive puts things below {str(folder)!r:.200}, no folder"
                ) from error
            target.folders.add(folder)


def _link(member: tarfile.TarInfo, path: PurePosixPath) -> str:
    """The link's text. It may climb at its beginning only, through folders: what climbs after a
    name climbs from wherever another link leads.
    """
    target = PurePosixPath(member.linkname)
    climbs = len(list(takewhile(lambda part: part == "..", target.parts)))
    strays = ".." in target.parts[climbs:] or "\0" in member.linkname
    if target.is_absolute() or climbs > len(path.parent.parts) or strays:
        raise _bad(
            f"{member.name!r:.200} is a link to {member.linkname!r:.200}, out of the archive"
        )
    return member.linkname


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None
    mode = 0o755 if member.mode & 0o111 else 0o644
    with open(place, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        shutil.copyfileobj(source, file, 1024 * 1024)


def _bad(message: str) -> ImageError:
    return ImageError("InvalidParameter", message, "Use an archive as the npm registry has them.")
