"""Images' files: trees and differences come back as they were; bad ones change nothing outside."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paas.node.errors import ImageError
from paas.node.images import files
from paas.node.pools.interface import Pool, Space

pytestmark = pytest.mark.root
SLOW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Roomy:
    """All of a pool that is asked for."""

    def space(self) -> Space:
        return Space(10**10, 10**10)


@contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def unpacked(root: Path, content: bytes, origin: bool, compression: str = "none") -> None:
    described = {"sha1": hashlib.sha1(content).hexdigest(), "size": len(content)}
    manifest: dict[str, Any] = {
        "uuid": "image",
        "files": [{**described, "compression": compression}],
    }
    if origin:
        manifest["origin"] = "origin"
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        files.unpack(cast(Pool, Roomy()), root, file.fileno(), manifest)


def packed(root: Path, origin: Path | None) -> bytes:
    with tempfile.TemporaryFile() as file:
        files.pack(root, origin, file.fileno(), "machine")
        file.seek(0)
        return file.read()


def seen(root: Path) -> list[Any]:
    """What is in a tree, links' groups too."""
    first: dict[int, str] = {}
    found = []
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder, name)
            state, where = path.lstat(), str(path.relative_to(root))
            text = str(path.readlink()) if path.is_symlink() else ""
            content = path.read_bytes() if path.is_file() and not text else b""
            kind = first.setdefault(state.st_ino, where) if not path.is_dir() or text else ""
            found.append((where, state.st_mode, state.st_uid, state.st_gid, text, content, kind))
    return sorted(found)


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
NAMES = NAMES.map(lambda text: text[:40]).filter(
    lambda text: text not in (".", "..") and not text.startswith(".wh.")
)
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=50), st.sampled_from([0o644, 0o4755, 0])),
    st.tuples(st.just("link"), NAMES, st.just(0)),
    st.tuples(st.just("pipe"), st.just(b""), st.just(0o600)),
)
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
).filter(lambda tree: isinstance(tree, dict))


def make(folder: Path, tree: dict[str, Any]) -> None:
    for name, what in tree.items():
        path = folder / name
        if isinstance(what, dict):
            path.mkdir()
            make(path, what)
        elif what[0] == "link":
            path.symlink_to(what[1])
        elif what[0] == "pipe":
            os.mkfifo(path)
        else:
            path.write_bytes(what[1])
            os.chown(path, 1000, 7)
            path.chmod(what[2])
            if len(what[1]) % 3 == 2:
                os.link(path, folder / f"{name[:30]}-too")


@SLOW
@given(TREES, TREES)
def test_a_tree_and_what_differs_from_it_come_back(old: Any, new: Any) -> None:
    with scratch() as folder:
        for name in ("old", "new", "back"):
            (folder / name).mkdir(mode=0o755)
        try:
            make(folder / "old", old)
            make(folder / "new", new)
        except (FileExistsError, OSError):
            return  # Two names that the file system has as one, or that are too long for it.
        unpacked(folder / "back", packed(folder / "old", None), origin=False)
        assert seen(folder / "back") == seen(folder / "old")
        unpacked(folder / "back", packed(folder / "new", folder / "old"), origin=True)
        assert seen(folder / "back") == seen(folder / "new")


def a_tar(*members: tuple[str, bytes, str, int, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, link, owner, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.uid = kind, link, owner
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


PATHS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "/", ".wh.a", ".wh.", "n" * 300])).map(
    "/".join
)
KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
MEMBERS = st.tuples(
    PATHS,
    st.sampled_from([*KINDS, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"]),
    PATHS,
    st.sampled_from([0, 1000, 65536, 2**21 - 1]),
    st.binary(max_size=20),
)


@SLOW
@given(st.lists(MEMBERS, max_size=6), st.booleans())
def test_a_hostile_tar_is_refused_or_stays_inside(members: Any, origin: bool) -> None:
    root = (".", tarfile.DIRTYPE, "", 0, b"")
    with scratch() as folder:
        (folder / "root").mkdir()
        (folder / "a").write_text("outside")
        try:
            unpacked(folder / "root", a_tar(root, *members), origin)
        except ImageError as error:
            assert error.code == "InvalidImageFile"
        assert sorted(path.name for path in folder.iterdir()) == ["a", "root"]
        assert (folder / "a").read_text() == "outside"


GOOD = a_tar((".", tarfile.DIRTYPE, "", 0, b""), ("a", tarfile.REGTYPE, "", 0, b"x" * 3000))


@SLOW
@given(
    st.sampled_from(["none", "gzip", "bzip2", "xz"]),
    st.integers(0, len(GOOD)),
    st.binary(max_size=30),
    st.booleans(),
)
def test_a_cut_or_changed_file_is_no_traceback(
    compression: str, at: int, more: bytes, cut: bool
) -> None:
    whole = {
        "none": GOOD,
        "gzip": gzip.compress(GOOD),
        "bzip2": bz2.compress(GOOD),
        "xz": lzma.compress(GOOD),
    }[compression]
    at %= len(whole)
    content = whole[:at] + more + (b"" if cut else whole[at + len(more) :])
    with scratch() as folder:
        try:
            unpacked(folder, content, False, compression)
        except ImageError as error:
            assert error.code == "InvalidImageFile" and "\n" not in error.message
