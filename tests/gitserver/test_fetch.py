"""Clones and fetches with the real command, in all versions of the protocol."""

import os
import subprocess
from pathlib import Path

import pytest

from gitserver import trees
from tests.gitserver import wire
from tests.gitserver.conftest import TOKEN, Git, Server, children, wait_for, warm_processes

VERSIONS = ["0", "1", "2"]


@pytest.fixture
def pushed(server: Server, git: Git) -> Git:
    """Four commits, a branch, a merge and an annotated tag are on the server."""
    git.commit({"lib/b.js": "b\n"}, "Second")
    git.run("tag", "-a", "v1", "-m", "One")
    git.run("checkout", "-q", "-b", "topic")
    git.commit({"topic.txt": "topic\n"}, "Topic")
    git.run("checkout", "-q", "main")
    git.commit({"lib/a.js": "a2\n"}, "Third")
    git.run("merge", "-q", "--no-ff", "-m", "Merge", "topic")
    git.run("push", "-q", server.url(), "main", "topic", "v1")
    return git


def clone(git: Git, server: Server, folder: Path, *options: str, version: str = "2") -> Git:
    result = git.at(folder)
    result.run("-c", f"protocol.version={version}", "clone", *options, server.url(), ".")
    result.run("config", "protocol.version", version)
    result.run("fsck", "--full")
    return result


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clone_has_everything(server: Server, pushed: Git, tmp_path: Path, version: str) -> None:
    copy = clone(pushed, server, tmp_path / "copy", version=version)
    assert copy.text("rev-parse", "HEAD") == pushed.text("rev-parse", "main")
    assert copy.text("branch", "--show-current") == "main"
    assert copy.text("rev-parse", "v1", "origin/topic") == pushed.text("rev-parse", "v1", "topic")
    assert (copy.folder / "lib" / "a.js").read_text() == "a2\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fetch_brings_what_is_new_and_no_more(
    server: Server, pushed: Git, tmp_path: Path, version: str
) -> None:
    copy = clone(pushed, server, tmp_path / "copy", version=version)
    before = int(copy.text("rev-list", "--objects", "--all", "--count"))
    pushed.commit({"lib/a.js": "a3\n"}, "Fourth")
    pushed.run("push", "-q", server.url(), "main")
    shown = copy.run("pull", "--progress").stderr.decode()
    assert copy.text("rev-parse", "HEAD") == pushed.text("rev-parse", "main")
    # One commit, two folders and one file.
    assert "Sending 4 objects" in shown
    assert int(copy.text("rev-list", "--objects", "--all", "--count")) == before + 4
    copy.run("fsck", "--full")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fetch_after_both_sides_went_on_negotiates(
    server: Server, pushed: Git, tmp_path: Path, version: str
) -> None:
    copy = clone(pushed, server, tmp_path / "copy", version=version)
    for number in range(100):
        copy.commit({"mine.txt": f"{number}\n"})
    pushed.commit({"theirs.txt": "x\n"})
    pushed.run("push", "-q", server.url(), "main")
    shown = copy.run("fetch", "--progress").stderr.decode()
    assert "Sending 3 objects" in shown
    copy.run("-c", "pull.rebase=false", "pull", "-q", "--no-edit")
    copy.run("push", "-q", "origin", "main")
    assert trees.resolve(server.path(), "main") == copy.text("rev-parse", "HEAD")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_shallow_clone_can_be_pulled_deepened_and_made_whole(
    server: Server, pushed: Git, tmp_path: Path, version: str
) -> None:
    copy = clone(pushed, server, tmp_path / "copy", "--depth=1", version=version)
    assert copy.text("rev-list", "--count", "HEAD") == "1"
    pushed.commit({"lib/a.js": "a3\n"}, "Fourth")
    pushed.run("push", "-q", server.url(), "main")
    copy.run("pull", "-q")
    assert copy.text("rev-list", "--count", "HEAD") == "2"
    copy.run("fetch", "-q", "--deepen=1")
    assert copy.text("rev-list", "--count", "HEAD") == "4"  # the merge has two parents
    copy.run("fetch", "-q", "--depth=3")
    copy.run("fsck", "--full")
    copy.run("fetch", "-q", "--unshallow")
    copy.run("fsck", "--full")
    assert copy.text("rev-list", "HEAD") == pushed.text("rev-list", "main")
    copy.commit({"x": "x"})
    copy.run("push", "-q", "origin", "main")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_repository_is_cloned(
    server: Server, git: Git, tmp_path: Path, version: str
) -> None:
    copy = git.at(tmp_path / "copy")
    shown = copy.run("-c", f"protocol.version={version}", "clone", server.url(), ".").stderr
    assert b"empty repository" in shown
    copy.run("checkout", "-q", "-B", "main")
    copy.commit({"a": "a"})
    copy.run("push", "-q", "origin", "main")


def test_a_clone_of_an_empty_repository_starts_on_main(
    server: Server, git: Git, tmp_path: Path
) -> None:
    copy = git.at(tmp_path / "copy")
    copy.run("-c", "init.defaultBranch=trunk", "clone", "-q", server.url(), ".")
    assert copy.text("symbolic-ref", "HEAD") == "refs/heads/main"


def test_master_is_checked_out_when_there_is_no_main(
    server: Server, git: Git, tmp_path: Path
) -> None:
    git.run("push", "-q", server.url(), "main:master", "main:another")
    assert clone(git, server, tmp_path / "copy").text("branch", "--show-current") == "master"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_file_is_fetched(server: Server, git: Git, tmp_path: Path, version: str) -> None:
    content = os.urandom(30_000_000)
    git.commit({"random.bin": content})
    git.run("push", "-q", server.url(), "main")
    copy = clone(git, server, tmp_path / "copy", version=version)
    assert (copy.folder / "random.bin").read_bytes() == content


def test_a_long_negotiation_arrives_compressed(server: Server, pushed: Git, tmp_path: Path) -> None:
    """git compresses requests over 1 KiB."""
    copy = clone(pushed, server, tmp_path / "copy")
    lines = "\n".join(
        f"commit refs/heads/side{n}\ncommitter A <a@x> {1_800_000_000 + n} +0000\ndata 1\nx"
        for n in range(300)
    )
    copy.run("fast-import", "--quiet", stdin=lines.encode())
    pushed.commit({"new": "x"})
    pushed.run("push", "-q", server.url(), "main")
    traced = copy.run("fetch", "-q", GIT_TRACE_CURL="1").stderr.decode()
    assert "Content-Encoding: gzip" in traced
    assert copy.text("rev-parse", "origin/main") == pushed.text("rev-parse", "main")


def test_what_no_ref_shows_can_not_be_fetched(server: Server, pushed: Git, tmp_path: Path) -> None:
    tip = pushed.text("rev-parse", "main")
    secret = pushed.commit({"secret": "x"})
    pushed.run("push", "-q", server.url(), "main")
    trees.set_ref(server.path(), "refs/heads/main", tip)
    copy = clone(pushed, server, tmp_path / "copy")
    for version in VERSIONS:
        shown = copy.error("-c", f"protocol.version={version}", "fetch", "origin", secret, code=128)
        assert "not our ref" in shown or "unadvertised" in shown


@pytest.mark.parametrize(
    "body",
    [b"zzzz", b"0032want " + b"x" * 40 + b"\n0000", b"0011command=nope0000", b"0007abc0000"],
)
@pytest.mark.parametrize("version", ["0", "2"])
def test_nonsense_is_answered(server: Server, body: bytes, version: str) -> None:
    answer = wire.post(
        server.url(), body, service="git-upload-pack", git_protocol=f"version={version}"
    )
    assert answer.text[4:].startswith("ERR ")


def test_an_unknown_repository_is_explained(server: Server, git: Git, tmp_path: Path) -> None:
    for command in (["push", server.url("helo"), "main"], ["clone", server.url("helo"), "x"]):
        shown = git.error(*command, code=128)
        assert "fatal: remote error: There is no app helo. Did you mean hello?" in shown
        assert "\n    paas create helo\n" in shown


def test_without_credentials_git_is_asked_for_them(server: Server, git: Git) -> None:
    shown = git.error("push", server.url(credentials=""), "main", code=128)
    assert "terminal prompts disabled" in shown
    shown = git.error("push", server.url(credentials="any:wrong@"), "main", code=128)
    assert "Authentication failed" in shown


def test_a_credential_helper_is_asked_once_and_told_of_success(
    server: Server, git: Git, tmp_path: Path
) -> None:
    log = tmp_path / "asked"
    helper = tmp_path / "helper"
    helper.write_text(
        f"#!/bin/sh\necho $1 >> {log}\n"
        f"test $1 = get && echo username=any && echo password={TOKEN}\n"
    )
    helper.chmod(0o755)
    git.run("config", "credential.helper", f"!{helper}")
    git.run("push", "-q", server.url(credentials=""), "main")
    assert log.read_text().split() == ["get", "store"]


def test_a_fetch_whose_client_goes_away_leaves_no_process(
    server: Server, git: Git, tmp_path: Path
) -> None:
    git.commit({"random.bin": os.urandom(40_000_000)})
    git.run("push", "-q", server.url(), "main")
    (warm,) = warm_processes()
    with subprocess.Popen(
        ["git", "clone", "-q", server.url(), str(tmp_path / "copy")],
        env=git.environment,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as process:
        wait_for(lambda: len(children(warm)) == 1)
        os.killpg(process.pid, 9)
    wait_for(lambda: children(warm) == [])
