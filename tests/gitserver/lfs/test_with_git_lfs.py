"""Large files sent and fetched by the real git-lfs."""

import asyncio
import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitserver import collecting, trees
from gitserver.interface import Limits, Push
from gitserver.lfs import commits, store
from gitserver.lfs.collecting import AGE_S
from tests.gitserver.conftest import Git, Server

pytestmark = pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")

LARGE = os.urandom(3 * 1024 * 1024 + 7)
OID = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture
def lfs(git: Git) -> Git:
    """A work tree whose `*.bin` are large files, one of them committed."""
    git.run("lfs", "install")
    git.run("lfs", "track", "*.bin")
    git.commit({"model.bin": LARGE, "lib/deep/é x.bin": b"small"}, "Large files")
    return git


def stored(server: Server) -> set[str]:
    return set(store.older_than(server.path(), -1))


def test_a_push_brings_the_files_and_a_clone_has_them(
    server: Server, lfs: Git, tmp_path: Path
) -> None:
    said = lfs.run("push", server.url(), "main").stderr.decode()
    assert "lock" not in said.lower()
    assert stored(server) == {OID, hashlib.sha256(b"small").hexdigest()}
    assert store.place_of(server.path(), OID).read_bytes() == LARGE
    lfs.run("clone", "-q", server.url(), str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "model.bin").read_bytes() == LARGE
    assert (tmp_path / "clone" / "lib/deep/é x.bin").read_bytes() == b"small"


def test_what_is_here_is_not_sent_again(server: Server, lfs: Git) -> None:
    lfs.run("push", server.url(), "main")
    before = len(server.requests)
    lfs.run("lfs", "push", "--all", server.url())
    again = [request for request in server.requests[before:] if request.startswith("PUT")]
    assert again == []


def test_the_checkout_of_a_build_has_the_contents(server: Server, lfs: Git, tmp_path: Path) -> None:
    lfs.run("push", server.url(), "main")
    path, tip = server.path(), lfs.text("rev-parse", "HEAD")
    found = commits.large_files(path, list(trees.entries(path, tip)))
    elsewhere = {file.path: store.place_of(path, file.pointer.oid) for file in found}
    assert set(elsewhere) == {b"model.bin", "lib/deep/é x.bin".encode()}
    with (tmp_path / "files.tar").open("wb") as out:
        trees.write_tar(path, trees.entries(path, tip), out, elsewhere=elsewhere)
    with tarfile.open(tmp_path / "files.tar") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            assert content.read() == (lfs.folder / member.name).read_bytes(), member.name


def test_a_wrong_token_can_neither_send_nor_fetch(server: Server, lfs: Git) -> None:
    said = lfs.error("lfs", "push", "--all", server.url(credentials="any:wrong@"), code=2)
    assert "uthoriz" in said or "credentials" in said.lower()
    assert stored(server) == set()


def test_an_unknown_repository_is_said_in_its_own_words(server: Server, lfs: Git) -> None:
    said = lfs.error("lfs", "push", "--all", server.url("helo"), code=2)
    assert "There is no app helo" in said


async def refuse(push: Push) -> Mapping[str, str | None]:
    return {update.name: "build failed" for update in push.updates}


class TestCollection:
    def collect(self, server: Server) -> None:
        asyncio.run(collecting.collect(server.path(), []))

    def age(self, server: Server) -> None:
        for oid in stored(server):
            os.utime(store.place_of(server.path(), oid), (0, time.time() - AGE_S - 60))

    def test_files_that_commits_need_stay(self, server: Server, lfs: Git) -> None:
        lfs.run("push", server.url(), "main")
        both = stored(server)
        self.age(server)
        self.collect(server)
        assert stored(server) == both

    def test_those_of_a_refused_push_go_after_a_day(self, server: Server, lfs: Git) -> None:
        server.judge = refuse
        lfs.error("push", server.url(), "main")
        both = stored(server)
        assert len(both) == 2
        self.collect(server)
        assert stored(server) == both
        self.age(server)
        self.collect(server)
        assert stored(server) == set()
        assert list((server.path() / "lfs" / "objects").iterdir()) == []

    def test_a_file_that_a_client_heard_of_again_stays(self, server: Server, lfs: Git) -> None:
        server.judge = refuse
        lfs.error("push", server.url(), "main")
        self.age(server)
        lfs.run("lfs", "push", "--all", server.url())
        self.collect(server)
        assert len(stored(server)) == 2


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(lfs_object_bytes=2 * 1024 * 1024)

    def test_a_file_that_is_too_large_is_refused_by_name(self, server: Server, lfs: Git) -> None:
        said = lfs.error("push", server.url(), "main")
        assert "over the limit of 2 MiB" in said and OID in said
        assert OID not in stored(server)
        assert server.pushes == []


class TestRoom:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(lfs_bytes=3 * 1024 * 1024)

    def test_all_files_together_have_a_limit(self, server: Server, lfs: Git) -> None:
        said = lfs.error("push", server.url(), "main")
        assert "large files may have 3 MiB together" in said
        assert OID not in stored(server)
