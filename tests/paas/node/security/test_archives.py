"""Archives that were made to get out, to fill memory, or to bring what a zone must not have."""

import gzip
import io
import os
import stat
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from paas.node.errors import ImageError
from paas.node.images.extract import Bounds, extract

MEMORY_BYTES_MAX = 16 * 1024 * 1024
Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"", **fields: object) -> Entry:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    return entry(name, type=kind, linkname=target)


def packed(*entries: Entry) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    "entries",
    [
        [entry("x", b"x", pax_headers={"path": "/out"})],
        [entry("x", b"x", pax_headers={"path": "../out"})],
        [entry("x", b"x", pax_headers={"path": "a/../../out"})],
        [link("x", "fine"), link("y", "a", tarfile.LNKTYPE)],
        [entry("x", type=tarfile.SYMTYPE, linkname="a", pax_headers={"linkpath": "/etc/passwd"})],
        [entry("x", type=tarfile.LNKTYPE, linkname="a", pax_headers={"linkpath": "../secret"})],
        # A link that is inside leads another one out.
        [link("a/b/up", "../.."), link("out", "a/b/up/../..")],
        [link("a/up", ".."), link("b/c/out", "../../a/up/..")],
        [link("up", "."), entry("up/../../out", b"x")],
        [link("folder", "elsewhere"), entry("folder/out", b"x")],
        [link("hard", "up", tarfile.LNKTYPE), link("up", "../secret")],
        [entry("device", type=tarfile.BLKTYPE, devmajor=8)],
        [entry("device", type=tarfile.CHRTYPE, devmajor=1, devminor=1)],
        [entry("unknown", b"x", type=b"Z")],
        [entry("file", b"x", pax_headers={"size": "-100000000000"})],
    ],
)
def test_no_entry_gets_out_or_is_more_than_a_file(tmp_path: Path, entries: list[Entry]) -> None:
    (tmp_path / "secret").write_text("of the host")
    target = tmp_path / "target"
    target.mkdir()
    try:
        extract(packed(*entries), target)
    except ImageError as error:
        assert error.code == "InvalidParameter"
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "target"}
    assert (tmp_path / "secret").stat().st_nlink == 1
    for path in target.rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
        inside = path.resolve(strict=False).is_relative_to(target.resolve())
        assert inside, f"{path} leads to {path.readlink()}"


def test_links_that_climb_inside_are_kept(tmp_path: Path) -> None:
    entries = [entry("lib/npm/cli.js", b"x"), link("bin/npm", "../lib/npm/cli.js")]
    extract(packed(*entries), tmp_path)
    assert (tmp_path / "bin/npm").read_bytes() == b"x"


def test_neither_setuid_nor_attributes_nor_times_of_a_stranger(tmp_path: Path) -> None:
    extended = {"SCHILY.xattr.security.capability": "x", "SCHILY.xattr.user.x": "y"}
    extract(packed(entry("a", b"x", mode=0o7777, uid=0, pax_headers=extended)), tmp_path)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o755
    assert [name for name in os.listxattr(tmp_path / "a") if name != "security.selinux"] == []


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_gigabytes_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("@LongLink")
    header.type, header.size = kind, 200 * 1024 * 1024
    bomb = io.BytesIO(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(header.size), 1))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="header of"):
            extract(bomb, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES_MAX
    finally:
        tracemalloc.stop()


def test_a_negative_size_does_not_buy_room_for_another(tmp_path: Path) -> None:
    entries = [entry("a", b"x", pax_headers={"size": "-1000000"}), entry("b", bytes(2000))]
    with pytest.raises(ImageError):
        extract(packed(*entries), tmp_path, bounds=Bounds(bytes=1000))
