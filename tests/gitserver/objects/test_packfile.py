"""Packs that git itself made are read as git reads them."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from gitserver.objects.packfile import COMMIT, TREE, ReceivedPack, SizeLimits
from tests.gitserver.conftest import Git, Server

KIB = 1024
STEP_BYTES = 256 * KIB
LIMITS = SizeLimits(
    object_bytes=256 * KIB * KIB,
    structure_bytes=64 * KIB * KIB,
    inflated_bytes=KIB * KIB * KIB,
    objects=100_000,
)


def content(size: int, kind: str) -> bytes:
    chance = random.Random(size)
    if kind == "one letter":
        return b"a" * size
    if kind == "text":
        words = [f'"node_modules/{number}": "sha512-{number * 7919:x}",\n' for number in range(997)]
        text = "".join(chance.choice(words) for _ in range(size // 30 + 1))
        return text.encode()[:size]
    return chance.randbytes(size)


def pack_of(git: Git) -> Path:
    git.run("repack", "-adfq", "--depth=0")
    (pack,) = (git.folder / ".git/objects/pack").glob("*.pack")
    return pack


def as_git_says(git: Git, pack: Path) -> dict[str, tuple[int, int]]:
    """Identifier → size and offset, from `git verify-pack`."""
    rows = [line.split() for line in git.text("verify-pack", "-v", str(pack)).splitlines()]
    return {row[0]: (int(row[2]), int(row[4])) for row in rows if len(row[0]) == 40}


@pytest.mark.parametrize("kind", ["one letter", "text", "random"])
def test_objects_around_a_steps_limit_are_followed_by_others(git: Git, kind: str) -> None:
    """An output limit that was reached before an object's end may not move what comes after."""
    sizes = [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 300_000, 426_000, 2 * STEP_BYTES,
             2 * STEP_BYTES + 1, 1_500_000]  # fmt: skip
    files: dict[str, bytes | str] = {f"{n:02}-{kind}": content(n, kind) for n in sizes}
    git.commit(files)
    expected = as_git_says(git, pack_of(git))

    received = ReceivedPack(pack_of(git), LIMITS)
    structures = []
    try:
        entries = list(received.scan(lambda entry, data: structures.append((entry.type, data))))
        assert {e.id.hex(): (e.size, e.offset) for e in entries if e.id} == expected
        assert {type for type, _ in structures} == {COMMIT, TREE}
        for entry in entries:
            assert entry.id is not None
            assert len(received.inflate(entry, entry.size)) == entry.size
    finally:
        received.close()


def test_a_large_lock_file_before_another_file_can_be_pushed(server: Server, git: Git) -> None:
    git.commit({"package-lock.json": content(426_000, "text"), "zz.txt": "1\n"})
    git.run("push", server.url(), "main")
    clone = git.folder.parent / "clone"
    git.run("clone", "-q", server.url(), str(clone))
    assert (clone / "package-lock.json").read_bytes() == content(426_000, "text")
    subprocess.run(["diff", "-r", "-x", ".git", git.folder, clone], check=True, timeout=20,
                   env={"PATH": os.environ["PATH"]})  # fmt: skip
