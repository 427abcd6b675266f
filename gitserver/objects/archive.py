"""The job `archive`: a tarball becomes a pack with one commit, which the job `check` then judges.

Runs in a child process (gitserver.jobserver), because whoever wrote the tarball may have written
anything. Nothing is extracted: a file or a symbolic link becomes a blob of that content, and a name
is only ever a name in a tree. How much comes out of it, and how many, is bounded here.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tarfile import HeaderError
from typing import IO, Any, BinaryIO, cast

from dulwich.object_store import DiskObjectStore

from gitserver.faults import Fault
from gitserver.objects.newpack import FOLDER, NewPack, tree_of
from gitserver.objects.packfile import BLOB, COMMIT, TREE

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
PATH_BYTES_MAX = 4095
LEFT_OUT_MAX = 100
"""Names that are told; there may be thousands."""
_STEP_BYTES = 256 * 1024
_OPENERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
    (b"BZh", bz2.BZ2File),
)
_OTHERS = ((b"PK\x03\x04", "a zip file"), (b"\x28\xb5\x2f\xfd", "compressed by zstd"))
_BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)
_ENDS = ("EOFHeaderError", "EmptyHeaderError")
"""What tarfile itself takes for the end of a tar, and is one."""


class _Member(tarfile.TarInfo):
    """tarfile takes a broken head in the middle for the end: half of an app would be deployed."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if type(error).__name__ in _ENDS:
                raise
            raise Fault(f"the archive is broken: {error}") from error


@dataclass
class _Found:
    files: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Path → mode and id of the blob."""
    left_out: list[bytes] = field(default_factory=list)
    entries: int = 0
    bytes: int = 0


def store(
    request: dict[str, Any], payload: bytes, write: Callable[[bytes], None]
) -> dict[str, Any]:
    """`request`: archive and pack (paths), repository, parent (hex or None), author, message,
    time_s, limits. Answers commit, files, bytes, top, left_out. Raises Fault.
    """
    objects = DiskObjectStore(str(Path(request["repository"]) / "objects"))
    with Path(request["pack"]).open("w+b") as file:
        pack = NewPack(file, objects, request["limits"]["pack_bytes"], "the archive's files")
        found = _read(Path(request["archive"]), pack, request["limits"])
        if not found.files:
            raise Fault("the archive has no files")
        top = _top(found.files)
        root = _write_trees(pack, {path[len(top) :]: blob for path, blob in found.files.items()})
        commit = pack.add(COMMIT, _commit(request, root))
        pack.end()
    objects.close()
    return {
        "commit": commit.hex(),
        "files": len(found.files),
        "bytes": found.bytes,
        "top": top.decode("utf-8", "replace"),
        "left_out": [path.decode("utf-8", "replace") for path in found.left_out],
    }


def _read(archive: Path, pack: NewPack, limits: dict[str, int]) -> _Found:
    found = _Found()
    with archive.open("rb") as file:
        try:
            stream = cast(IO[bytes], _Bounded(_opened(file), limits["inflated_bytes"]))
            with tarfile.open(
                fileobj=stream,
                mode="r|",
                encoding="utf-8",
                errors="surrogateescape",
                tarinfo=_Member,
            ) as tar:
                for member in tar:
                    _take(found, tar, member, pack, limits)
                    # tarfile remembers every member, for seeking: millions of them are memory.
                    setattr(tar, "members", [])  # noqa: B010 - typeshed does not know it
        except _BROKEN as error:
            raise Fault(f"the archive can't be read: {error or type(error).__name__}") from error
    return found


def _opened(file: BinaryIO) -> Any:
    """What comes out of the compression, which the first bytes tell."""
    head = file.read(512)
    file.seek(0)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise Fault(f"the archive is {name}; send a tar, best compressed by gzip (.tar.gz)")
    for magic, opener in _OPENERS:
        if head.startswith(magic):
            return opener(file)
    if head[257:262] != b"ustar" and head.strip(b"\0"):
        raise Fault("the archive is no tar, nor one compressed by gzip, xz or bzip2")
    return file


class _Bounded:
    """A stream that ends in a Fault after so many bytes, however few they were before."""

    def __init__(self, stream: Any, limit_bytes: int) -> None:
        self._stream = stream
        self._limit_bytes = self._left_bytes = limit_bytes

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(min(size, _STEP_BYTES))
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise Fault(f"the archive has over {self._limit_bytes >> 20} MiB uncompressed")
        return data


def _take(
    found: _Found,
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    pack: NewPack,
    limits: dict[str, int],
) -> None:
    found.entries += 1
    if found.entries > limits["tree_entries"]:
        raise Fault(f"the archive has over {limits['tree_entries']:,} files and folders")
    path = _path(member.name)
    if member.isdir() or not path:
        return
    if b".git" in path.split(b"/"):
        _leave_out(found, path)
    elif member.isfile():
        found.files[path] = (_mode(member), _blob(found, tar, member, pack, limits))
    elif member.issym():
        target = member.linkname.encode("utf-8", "surrogateescape")
        found.files[path] = (LINK, pack.add(BLOB, target))
    elif member.islnk():
        target = _path(member.linkname)
        if target not in found.files:
            raise Fault(f"{_shown(path)} is a hard link to {_shown(target)}, which is not there")
        found.files[path] = found.files[target]
    else:
        _leave_out(found, path)


def _leave_out(found: _Found, path: bytes) -> None:
    if len(found.left_out) < LEFT_OUT_MAX:
        found.left_out.append(path)


def _path(name: str) -> bytes:
    """As a commit has it: no `.`, no double slashes. Raises Fault for one that leads out."""
    raw = name.encode("utf-8", "surrogateescape")
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
    if raw.startswith(b"/") or b".." in parts:
        raise Fault(f"{_shown(raw)} leads out of the archive's folder")
    path = b"/".join(parts)
    if len(path) > PATH_BYTES_MAX or any(len(part) > 255 for part in parts):
        raise Fault(f"{_shown(raw[:100])}… is too long for a name")
    return path


def _mode(member: tarfile.TarInfo) -> int:
    return PROGRAM if member.mode & 0o100 else FILE


def _blob(
    found: _Found,
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    pack: NewPack,
    limits: dict[str, int],
) -> bytes:
    if member.size > limits["object_bytes"]:
        raise Fault(f"{member.name[:200]!r} has over {limits['object_bytes'] >> 20} MiB")
    content = tar.extractfile(member)
    assert content is not None
    found.bytes += member.size
    if found.bytes > limits["inflated_bytes"]:
        raise Fault(f"the archive has over {limits['inflated_bytes'] >> 20} MiB uncompressed")
    return pack.add_stream(member.size, content)


def _top(files: dict[bytes, tuple[int, bytes]]) -> bytes:
    """The one folder that everything lies in, as in the archives of GitHub; else nothing."""
    tops = {path.partition(b"/")[0] + path.partition(b"/")[1] for path in files}
    only = tops.pop() if len(tops) == 1 else b""
    return only if only.endswith(b"/") else b""


def _write_trees(pack: NewPack, files: dict[bytes, tuple[int, bytes]]) -> bytes:
    """The id of the root; the deepest first, without recursion."""
    folders: dict[bytes, dict[bytes, tuple[int, bytes]]] = {b"": {}}
    for path, blob in files.items():
        folder, _, name = path.rpartition(b"/")
        folders.setdefault(folder, {})[name] = blob
        while folder and (above := folder.rpartition(b"/")[0]) not in folders:
            folder, folders[above] = above, {}
    for folder in sorted(folders, key=lambda path: path.count(b"/"), reverse=True):
        if not folder:
            continue
        above, _, name = folder.rpartition(b"/")
        if name in folders[above]:
            raise Fault(f"{_shown(folder)} is a folder, and something else as well")
        folders[above][name] = (FOLDER, pack.add(TREE, tree_of(folders[folder])))
    return pack.add(TREE, tree_of(folders[b""]))


def _commit(request: dict[str, Any], root: bytes) -> bytes:
    moment = f"{request['author']} {request['time_s']} +0000"
    parent = [f"parent {request['parent']}"] if request["parent"] else []
    lines = [f"tree {root.hex()}", *parent, f"author {moment}", f"committer {moment}"]
    return "\n".join([*lines, "", request["message"], ""]).encode("utf-8", "replace")


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
