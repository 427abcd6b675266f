"""A tarball becomes a commit: what GNU tar packs is what git would have of it; the rest is refused.

Reports of others that are tried here: GitHub's archives with their one folder (dokku/dokku#4207),
`tar c .` whose first entry is `.` (dokku/dokku#6939), symbolic links that lead out, and files that
are written through them (dokku/dokku#8591).
"""

import asyncio
import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import gitserver
from gitserver import JobFailed, Limits, NewCommit, Stored, trees

SMALL = replace(Limits(), tree_entries=20, object_bytes=1 << 20, inflated_bytes=4 << 20)
COMMIT = NewCommit(None, "Ada <ada@localhost>", "Deploy of an archive", 1_750_000_000)
Member = tuple[str, bytes] | tarfile.TarInfo


async def nobody(*_: object) -> None:
    raise AssertionError("nobody is asked")


def store(
    folder: Path, archive: Path, commit: NewCommit = COMMIT, limits: Limits = SMALL
) -> Stored:
    async def whole() -> Stored:
        server = gitserver.application(
            repositories=folder, authenticate=nobody, find=nobody, accept=nobody, limits=limits
        )
        await server.start()
        try:
            trees.init(folder / "hello.git")
            return await server.store_archive(folder / "hello.git", archive, commit)
        finally:
            await server.aclose()

    found = asyncio.run(whole())
    done = subprocess.run(
        ["git", "-C", str(folder / "hello.git"), "fsck", "--full", "--strict", "--no-dangling"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list((folder / ".incoming").iterdir())
    return found


def content(folder: Path, stored: Stored) -> dict[bytes, int]:
    return {e.path: e.mode for e in trees.entries(folder / "hello.git", stored.commit)}


def made(folder: Path, *members: Member, mode: str = "w:gz") -> Path:
    path = folder / "archive"
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(b"x" * member.size))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, type: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, target
    return info


@pytest.mark.parametrize("kind", ["", "z", "J", "j"])
def test_what_gnu_tar_packs_is_the_tree_that_git_makes(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    (source / "lib" / "deep").mkdir(parents=True)
    (source / "package.json").write_text("{}")
    (source / "lib.js").write_text("x")
    (source / "lib" / "a").write_text("same")
    (source / "lib" / "deep" / "b").write_text("same")
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    os.link(source / "run", source / "run-again")
    (source / "link").symlink_to("lib/a")
    (source / os.fsdecode(b"\xff name")).write_text("x")
    (source / ("long" * 40)).write_text("x")
    command = ["tar", f"-c{kind}f", str(tmp_path / "archive"), "-C", str(source), "."]
    subprocess.run(command, check=True, timeout=60)
    stored = store(tmp_path / "repositories", tmp_path / "archive")
    assert (stored.files, stored.top, stored.left_out) == (9, "", ())
    git = ["git", "-C", str(source)]
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run([*git, *words], check=True, timeout=60)
    tree = subprocess.run([*git, "write-tree"], capture_output=True, text=True, timeout=60)
    repository = str(tmp_path / "repositories" / "hello.git")
    ours = subprocess.run(
        ["git", "-C", repository, "rev-parse", f"{stored.commit}^{{tree}}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ours.stdout == tree.stdout != ""


def test_one_folder_around_everything_is_taken_off_as_in_githubs_archives(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "package.json").write_text("{}")
    git = ["git", "-C", str(source), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, timeout=60)
    archive = tmp_path / "archive"
    prefix = ["archive", "--format=tar.gz", "--prefix=hello-main/", "-o", str(archive), "HEAD"]
    subprocess.run([*git, *prefix], check=True, timeout=60)
    stored = store(tmp_path / "repositories", archive)
    assert stored.top == "hello-main/"
    assert content(tmp_path / "repositories", stored) == {b"package.json": 0o100644}


def test_the_next_commit_has_the_last_as_parent_and_brings_only_what_is_new(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(500_000)
    folder = tmp_path / "repositories"
    first = store(folder, made(tmp_path, ("noise", noise), ("a", b"1")))
    again = replace(COMMIT, parent=first.commit, message="Second")
    second = store(folder, made(tmp_path, ("noise", noise), ("a", b"2")), again)
    sizes = sorted(p.stat().st_size for p in (folder / "hello.git/objects/pack").glob("*.pack"))
    assert len(sizes) == 2 and sizes[0] < 1000 < 500_000 < sizes[1]
    assert trees.commit_subject(folder / "hello.git", second.commit) == "Second"
    assert trees.changes(folder / "hello.git", first.commit, second.commit).changed[0].path == b"a"


def test_what_git_can_not_have_is_left_out_and_named(tmp_path: Path) -> None:
    archive = made(
        tmp_path,
        ("index.html", b"x"),
        (".git/config", b"[core]"),
        ("sub/.git/HEAD", b"x"),
        special("pipe", tarfile.FIFOTYPE),
        special("null", tarfile.CHRTYPE),
    )
    stored = store(tmp_path / "repositories", archive)
    assert stored.left_out == (".git/config", "sub/.git/HEAD", "pipe", "null")
    assert stored.files == 1


def test_links_are_links_wherever_they_lead_and_nothing_goes_through_them(tmp_path: Path) -> None:
    archive = made(tmp_path, special("out", tarfile.SYMTYPE, "/etc"), ("index.html", b"x"))
    folder = tmp_path / "repositories"
    assert content(folder, store(folder, archive))[b"out"] == 0o120000
    through = made(
        tmp_path, special("out", tarfile.SYMTYPE, "/etc"), ("out/passwd", b"x"), ("a", b"x")
    )
    with pytest.raises(JobFailed, match="out is a folder, and something else as well"):
        store(folder, through)


def huge(name: str, size: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "archive"
        info = tarfile.TarInfo(name)
        info.size = size
        with gzip.open(path, "wb") as file:
            file.write(info.tobuf())
            for _ in range(size >> 20):
                file.write(bytes(1 << 20))
        return path

    return make


def raw(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "archive").write_bytes(data)
        return folder / "archive"

    return make


def of(*members: Member) -> Callable[[Path], Path]:
    return lambda folder: made(folder, *members)


def plain(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (m for m in members if isinstance(m, tuple)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


WHOLE = plain(("a", b"x" * 600), ("b", b"y" * 600))
CASES = {
    "../evil leads out": of(("../evil", b"x")),
    "leads out of": of(("a/../../evil", b"x")),
    "/etc/passwd leads out": of(("/etc/passwd", b"x")),
    "hard link to etc/passwd": of(special("a", tarfile.LNKTYPE, "etc/passwd")),
    "leads out of the": of(("a", b""), special("b", tarfile.LNKTYPE, "../../etc/passwd")),
    "over 20 files": of(*((f"f{n}", b"") for n in range(30))),
    "over 1 MiB": huge("zeros", 3 << 20),
    "over 4 MiB uncompressed": of(*((f"f{n}", bytes(900_000)) for n in range(6))),
    "no files": of(special("folder", tarfile.DIRTYPE)),
    "is no tar": raw(b"hello, this is no tar at all" * 100),
    "can't be read": raw(b""),
    "zip file": raw(b"PK\x03\x04" + bytes(600)),
    "zstd": raw(b"\x28\xb5\x2f\xfd" + bytes(600)),
    "ended before": raw(gzip.compress(WHOLE)[:-40]),
    "is broken": raw(WHOLE[:1536] + b"\x01" * 512 + WHOLE[2048:]),
    "too long for a name": of(("d/" * 2100 + "x", b"x")),
    "something else as well": of(("a", b"x"), ("a/b", b"x"), ("c", b"x")),
    "which git forbids": of((".GIT/config", b"x"), ("a", b"x")),
}


@pytest.mark.parametrize("words", CASES)
def test_a_hostile_or_broken_archive_is_refused_in_words(tmp_path: Path, words: str) -> None:
    with pytest.raises(JobFailed, match=words):
        store(tmp_path / "repositories", CASES[words](tmp_path))


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_bomb_is_refused_before_it_fills_anything(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    info = tarfile.TarInfo("zeros")
    info.size = 1 << 40
    archive = raw(compress(info.tobuf() + bytes(64 << 20)))(tmp_path)
    limits = replace(SMALL, object_bytes=1 << 50)
    with pytest.raises(JobFailed, match="over 4 MiB uncompressed"):
        store(tmp_path / "repositories", archive, limits=limits)


def test_a_dictionary_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    archive = raw(lzma.compress(WHOLE, filters=filters))(tmp_path)
    limits = replace(SMALL, check_memory_bytes=256 << 20)
    with pytest.raises(JobFailed, match=r"memory|can't be read"):
        store(tmp_path / "repositories", archive, limits=limits)
