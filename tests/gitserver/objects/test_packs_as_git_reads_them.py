"""The same packs to this server's check and to `git index-pack`: both take them or both refuse.

Short by default; `--long` looks at thousands, with files of up to 64 MiB.
"""

import contextlib
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.object_store import DiskObjectStore
from hypothesis import given, settings
from hypothesis import strategies as st

from gitserver import Limits, trees
from gitserver.faults import Fault
from gitserver.objects.checking import check
from tests.gitserver import wire
from tests.gitserver.conftest import Git, Server
from tests.gitserver.objects import packs
from tests.gitserver.objects.packs import BLOB, COMMIT, TREE, Plan

MIB = 1024 * 1024
LIMITS = Limits()
GIT_TIMEOUT_S = 120
MANY_TIMEOUT_S = 600
LOCK_FILE_BYTES = [
    # What npm wrote for express, react-scripts, next, nest, angular, gatsby, strapi, vuepress…
    28_411, 61_007, 117_893, 262_143, 262_144, 262_145, 300_071, 339_968, 426_240, 487_101, 524_289,
    688_342, 731_004, 1_048_577, 1_274_810, 1_951_226, 3_010_933,
]  # fmt: skip


class Pair:
    """Two repositories with the same objects: one is written by our check, one by git."""

    def __init__(self, folder: Path, there: list[packs.Object]) -> None:
        self.folder, self.ours, self.theirs = folder, folder / "ours.git", folder / "theirs.git"
        trees.init(self.ours)
        base = wire.pack([wire.entry(type, data) for type, data in there])
        assert self.take(base, wire.object_id(*there[-1])) is None
        shutil.copytree(self.ours, self.theirs)

    def git(
        self, path: Path, *words: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", "--git-dir", str(path), *words],
            input=stdin, capture_output=True, timeout=GIT_TIMEOUT_S, check=False,
        )  # fmt: skip

    def take(self, pack: bytes, tip: bytes) -> str | None:
        """None when it was taken by our check, or why not."""
        received = self.folder / "received.pack"
        received.write_bytes(pack)
        sizes = ("object_bytes", "structure_bytes", "inflated_bytes", "objects")
        request = {
            "repository": str(self.ours),
            "pack": str(received),
            "tips": [{"id": tip.hex(), "branch": True}],
            "size_limits": {name: getattr(LIMITS, name) for name in sizes},
            "tree_entries": LIMITS.tree_entries,
            "shallow": [],
            "shallow_max": 10,
        }
        try:
            check(request, b"", lambda _: None)
        except Fault as fault:
            return str(fault)
        return None

    def git_takes(self, pack: bytes) -> str | None:
        done = self.git(self.theirs, "index-pack", "--stdin", "--fix-thin", stdin=pack)
        return None if done.returncode == 0 else done.stderr.decode(errors="replace")

    def objects(self, path: Path) -> set[bytes]:
        return {id for pack in DiskObjectStore(str(path / "objects")).packs for id in pack}


@contextlib.contextmanager
def pair(there: list[packs.Object]) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="packs-"))
    try:
        yield Pair(folder, there)
    finally:
        shutil.rmtree(folder)


def first_objects(chance: random.Random) -> list[packs.Object]:
    data = packs.content(chance, 5000, "text")
    tree = wire.tree(("100644", b"old", wire.object_id(BLOB, data)))
    return [(BLOB, data), (TREE, tree), (COMMIT, wire.commit(wire.object_id(TREE, tree)))]


sizes = st.floats(0, 1).map(lambda share: int(2 ** (share * 26)) - 1)
"""Log-uniform, up to 64 MiB."""
small_sizes = st.floats(0, 1).map(lambda share: int(2 ** (share * 20)) - 1)
kinds = st.sampled_from(["one letter", "text", "noise"])
seeds = st.integers(0, 2**32)
SHORT = 8


def compare_sound(seed: int, files: list[tuple[int, str]], blobs: int) -> None:
    chance = random.Random(seed)
    there = first_objects(chance)
    plan = Plan(chance, there)
    tip = packs.history(plan, blobs, files)
    with pair(there) as both:
        assert both.git_takes(plan.pack()) is None
        assert both.take(plan.pack(), tip) is None
        assert both.objects(both.ours) == both.objects(both.theirs)
        found = both.git(both.ours, "fsck", "--full", "--strict", "--no-dangling")
        assert found.returncode == 0, found.stderr


def compare_damaged(seed: int, how: str) -> None:
    chance = random.Random(seed)
    there = first_objects(chance)
    plan = Plan(chance, there)
    files = [(chance.choice([0, 3, 70, 5000]), "text"), (300, "noise")]
    tip = packs.history(plan, chance.randrange(6), files)
    pack = packs.damaged(chance, plan, how)
    with pair(there) as both:
        theirs, ours = both.git_takes(pack), both.take(pack, tip)
        if theirs is None and ours is not None:
            # A flipped bit may make another sound pack, whose objects lack each other.
            assert "missing" in ours or "was not sent" in ours or "twice" in ours, (how, ours)
            assert how.startswith("a ") or how == "count", (how, ours)
        else:
            assert (ours is None) == (theirs is None), (how, ours, theirs)
        if ours is None:
            assert both.objects(both.ours) == both.objects(both.theirs)
        else:
            assert len(list((both.ours / "objects" / "pack").glob("*.pack"))) == 1


@settings(max_examples=SHORT)
@given(seeds, st.lists(st.tuples(small_sizes, kinds), min_size=1, max_size=6), st.integers(0, 12))
def test_sound_packs_are_taken_and_hold_what_git_finds(
    seed: int, files: list[tuple[int, str]], blobs: int
) -> None:
    compare_sound(seed, files, blobs)


@pytest.mark.long
@settings(max_examples=1500)
@given(seeds, st.lists(st.tuples(sizes, kinds), min_size=1, max_size=4), st.integers(0, 30))
def test_large_sound_packs_are_taken(seed: int, files: list[tuple[int, str]], blobs: int) -> None:
    compare_sound(seed, files, blobs)


@pytest.mark.parametrize("how", packs.DAMAGES)
def test_each_damage_is_judged_as_git_judges_it(how: str) -> None:
    compare_damaged(0, how)


@pytest.mark.long
@settings(max_examples=8000)
@given(seeds, st.sampled_from(packs.DAMAGES))
def test_any_damage_is_judged_as_git_judges_it(seed: int, how: str) -> None:
    compare_damaged(seed, how)


def test_lock_files_of_real_sizes_are_followed_by_other_files() -> None:
    compare_sound(1, [(size, "text") for size in LOCK_FILE_BYTES], 0)
    compare_sound(2, [(size, "one letter") for size in LOCK_FILE_BYTES], 3)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("folders", [1, 1000])
def test_a_hundred_thousand_files_can_be_pushed(
    server: Server, git: Git, folders: int, long: bool
) -> None:
    """In one folder, and in many; the commits are made by git's fast-import."""
    count = 100_000 if long else 20_000
    lines = ["commit refs/heads/many\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"]
    for number in range(count):
        name = f"d{number % folders}/file{number}.js" if folders > 1 else f"file{number}.js"
        text = f"module.exports = {number};\n"
        lines.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}")
    fast_import(git, "".join(lines))
    tip = git.text("rev-parse", "many")
    git.run("push", "-q", server.url(), "many", timeout_s=MANY_TIMEOUT_S)
    assert sum(1 for _ in trees.entries(server.path(), tip)) == count
    assert trees.tree_bytes(server.path(), tip) > count * 20
    head = "commit refs/heads/many\ncommitter A <a@b> 2 +0000\ndata 1\ny\n"
    fast_import(git, f"{head}from {tip}\nM 100644 inline one-more.js\ndata 2\n1\n")
    git.run("push", "-q", server.url(), "many", timeout_s=MANY_TIMEOUT_S)
    found = trees.changes(server.path(), tip, git.text("rev-parse", "many"))
    assert [entry.path for entry in found.changed] == [b"one-more.js"]


def fast_import(git: Git, stream: str) -> None:
    # Looking for deltas would take most of the time, and finds none.
    words = ("fast-import", "--quiet", "--depth=0")
    git.run(*words, stdin=stream.encode(), timeout_s=MANY_TIMEOUT_S)
