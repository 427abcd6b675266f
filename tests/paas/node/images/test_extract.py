"""Archives of strangers: what gets out, and what refuses the whole."""

import contextlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.node.errors import ImageError
from paas.node.images.extract import Bounds, extract

Change = Callable[[tarfile.TarInfo], object]


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def packed(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_folders_and_inner_links_get_out(tmp_path: Path, mode: str) -> None:
    stream = packed(
        entry("package", type=tarfile.DIRTYPE),
        entry("package/bin/node", b"binary", mode=0o755),
        entry("package/bin/same", type=tarfile.LNKTYPE, linkname="package/bin/node"),
        entry("package/lib/link", type=tarfile.SYMTYPE, linkname="../bin/node"),
        mode=mode,
    )
    assert extract(stream, tmp_path, strip_components=1) == 6
    assert (tmp_path / "lib/link").read_bytes() == b"binary"
    assert os.access(tmp_path / "bin/same", os.X_OK)


def test_setuid_and_owners_are_not_kept(tmp_path: Path) -> None:
    extract(packed(entry("a", b"x", mode=0o6777, uid=1234)), tmp_path)
    found = (tmp_path / "a").stat()
    assert (found.st_mode & 0o7777, found.st_uid) == (0o755, os.geteuid())


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../out", b"x")],
        [entry("/out", b"x")],
        [entry("a/../../out", b"x")],
        [entry("link", type=tarfile.SYMTYPE, linkname="/etc")],
        [entry("a/link", type=tarfile.SYMTYPE, linkname="../../etc")],
        [entry("link", type=tarfile.SYMTYPE, linkname="."), entry("link/out", b"x")],
        [entry("link", type=tarfile.SYMTYPE, linkname="to"), entry("link", b"x")],
        [entry("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
        [entry("hard", type=tarfile.LNKTYPE, linkname="../../etc/passwd")],
        [
            entry("soft", type=tarfile.SYMTYPE, linkname="x"),
            entry("hard", type=tarfile.LNKTYPE, linkname="soft"),
        ],
        [entry("device", type=tarfile.CHRTYPE)],
        [entry("pipe", type=tarfile.FIFOTYPE)],
        [entry("file", b"x"), entry("file/below", b"x")],
        [entry("file", b"x"), entry("file", b"y")],
    ],
)
def test_what_leads_out_or_is_no_file_is_refused(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    target = tmp_path / "deep/target"
    target.mkdir(parents=True)
    with pytest.raises(ImageError) as refused:
        extract(packed(*entries), target)
    assert refused.value.code == "InvalidParameter"
    assert [path for path in tmp_path.rglob("out")] == []


def test_an_archive_that_becomes_too_much_is_refused(tmp_path: Path) -> None:
    bomb = packed(entry("zeros", bytes(10_000_000)), mode="w:gz")
    assert len(bomb.getvalue()) < 20_000
    with pytest.raises(ImageError, match="more than"):
        extract(bomb, tmp_path, bounds=Bounds(bytes=1_000_000))
    many = packed(*(entry(f"file-{number}") for number in range(101)))
    with pytest.raises(ImageError, match="more than"):
        extract(many, tmp_path, bounds=Bounds(entries=100))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_an_archive_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    target = tmp_path_factory.mktemp("any")
    with contextlib.suppress(ImageError):
        extract(io.BytesIO(data), target)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_archive_never_writes_outside(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = packed(
        entry("package/a", b"one"), entry("package/l", type=tarfile.SYMTYPE, linkname="a")
    ).getvalue()
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, 1535))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("outer")
    (folder / "target").mkdir()
    with contextlib.suppress(ImageError):
        extract(io.BytesIO(bytes(broken)), folder / "target")
    assert [path.name for path in folder.iterdir()] == ["target"]
