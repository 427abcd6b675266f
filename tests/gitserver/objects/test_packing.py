"""Packs that are made of others, judged by git: what it indexes, and the same objects out of it."""

import os
import random
import subprocess
from pathlib import Path

import pytest
from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from gitserver.objects.packing import Places, write_pack
from tests.gitserver.conftest import GIT_TIMEOUT_S, Git

PIECE_BYTES_MAX = 1024 * 1024


def all_ids(git: Git) -> list[ObjectID]:
    listed = git.text("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return [ObjectID(line.encode()) for line in listed.splitlines()]


def written(git: Git, ids: list[ObjectID], file: Path, *, reuse_deltas: bool) -> Places:
    store = DiskObjectStore(str(git.folder / ".git/objects"))
    with file.open("wb") as opened:

        def write(data: bytes) -> None:
            assert len(data) <= PIECE_BYTES_MAX
            opened.write(data)

        places = write_pack(write, store, ids, reuse_deltas=reuse_deltas)
    store.close()
    return places


def indexed(file: Path) -> dict[bytes, tuple[int, int]]:
    """By git: object → offset and checksum."""
    run = {"check": True, "capture_output": True, "timeout": GIT_TIMEOUT_S}
    subprocess.run(["git", "index-pack", str(file)], **run)  # type: ignore[call-overload]
    with file.with_suffix(".idx").open("rb") as index:
        shown = subprocess.run(["git", "show-index"], stdin=index, **run).stdout  # type: ignore[call-overload]
    rows = (line.split() for line in shown.decode().splitlines())
    return {bytes.fromhex(id): (int(offset), int(crc[1:-1], 16)) for offset, id, crc in rows}


def contents(git: Git, ids: list[ObjectID]) -> bytes:
    return git.run("cat-file", "--batch", stdin=b"\n".join(ids) + b"\n").stdout


def grown(git: Git, seed: int) -> None:
    """Several packs of git's own making, with deltas upon deltas, and loose objects."""
    chance = random.Random(seed)
    text = [f"line {number} {chance.random()}" for number in range(400)]
    for number in range(12):
        for _ in range(chance.randrange(1, 30)):
            text[chance.randrange(len(text))] = f"changed {chance.random()}"
        files = {f"f{chance.randrange(4)}.txt": "\n".join(text), f"{number}.bin": os.urandom(200)}
        git.commit(files, f"Commit {number}")
        if number == 5:
            git.run("tag", "-a", "v1", "-m", "One")
        if number in (4, 8):
            # Objects of the first are in the second once more, often with the delta turned round.
            git.run("repack", "-q", *(["-a"] if number == 8 else []), "--depth=50", "--window=50")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reuse_deltas", [True, False])
def test_git_reads_what_was_written(
    git: Git, tmp_path: Path, seed: int, reuse_deltas: bool
) -> None:
    grown(git, seed)
    ids = all_ids(git)
    chance = random.Random(seed)
    for part, name in ((ids, "all"), (chance.sample(ids, len(ids) // 2), "half")):
        file = tmp_path / f"{name}.pack"
        places = written(git, part, file, reuse_deltas=reuse_deltas)
        assert indexed(file) == places
        bare = git.at(tmp_path / f"{name}.git")
        bare.run("init", "-q", "--bare")
        with file.open("rb") as stream:
            bare.run("unpack-objects", "-q", stdin=stream.read())
        assert contents(bare, part) == contents(git, part)


def test_deltas_that_lie_there_are_sent_as_they_are(git: Git, tmp_path: Path) -> None:
    grown(git, 1)
    git.run("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
    [pack] = (git.folder / ".git/objects/pack").glob("*.pack")
    written(git, all_ids(git), tmp_path / "all.pack", reuse_deltas=True)
    # git writes a delta's base as a distance, this as an id: 20 bytes instead of two or so.
    rows = len(all_ids(git))
    assert (tmp_path / "all.pack").stat().st_size <= pack.stat().st_size + 20 * rows


def test_a_file_that_does_not_compress_goes_in_pieces(git: Git, tmp_path: Path) -> None:
    git.commit({"large.bin": os.urandom(5_000_000)})
    git.run("repack", "-q", "-a", "-d")
    places = written(git, all_ids(git), tmp_path / "all.pack", reuse_deltas=True)
    assert indexed(tmp_path / "all.pack") == places
