"""Garbage collection: what refused pushes left goes, what is needed stays, no push is harmed."""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitserver import Push, collecting, gitcommand, trees
from tests.gitserver.conftest import Git, Server, children, wait_for
from tests.processes import has_ended


async def refuse(push: Push) -> Mapping[str, str | None]:
    return {update.name: "refused by the test" for update in push.updates}


def refused(server: Server, git: Git, name: str) -> str:
    """A commit whose push was refused."""
    accept, server.judge = server.judge, refuse
    git.commit({name: os.urandom(200_000)})
    git.error("push", "-q", server.url(), "main")
    server.judge = accept
    commit = git.text("rev-parse", "main").strip()
    git.run("reset", "-q", "--hard", "HEAD~1")
    return commit


def has(path: Path, commit: str) -> bool:
    return trees.resolve(path, commit) is not None


def git_that_never_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it writes its process id."""
    program, pid = folder / "bin" / "git", folder / "pid"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(os, "defpath", f"{program.parent}:{os.defpath}")
    return pid


def test_what_no_ref_reaches_goes_and_what_is_kept_stays(server: Server, git: Git) -> None:
    path = server.path()
    git.run("push", "-q", server.url(), "main")
    tip = git.text("rev-parse", "main").strip()
    lost, kept = refused(server, git, "lost.bin"), refused(server, git, "kept.bin")
    assert has(path, lost) and has(path, kept)
    before = collecting.pack_bytes(path)
    asyncio.run(collecting.collect(path, [kept, "0" * 40]))
    assert (has(path, tip), has(path, kept), has(path, lost)) == (True, True, False)
    assert collecting.pack_bytes(path) < before - 150_000
    assert kept not in git.text("ls-remote", server.url())
    asyncio.run(collecting.collect(path, []))
    assert not has(path, kept) and has(path, tip)
    git.commit({"server.js": "two\n"})
    git.run("push", "-q", server.url(), "main")


def test_it_is_due_when_much_came_or_a_day_after_something_came(
    server: Server, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.path()
    assert not collecting.is_due(path)
    git.run("push", "-q", server.url(), "main")
    assert collecting.is_due(path)
    asyncio.run(collecting.collect(path, []))
    tomorrow = time.time() + collecting.EVERY_S + 60
    assert not collecting.is_due(path) and not collecting.is_due(path, tomorrow)
    refused(server, git, "some.bin")
    assert not collecting.is_due(path) and collecting.is_due(path, tomorrow)
    monkeypatch.setattr(collecting, "GROWTH_BYTES", 100_000)
    assert collecting.is_due(path)
    (path / "gitserver.collected").write_text("{")
    assert collecting.is_due(path)


def test_a_push_under_way_is_never_collected_from(server: Server, git: Git) -> None:
    path = server.path()
    found: list[bool] = []

    async def judge(push: Push) -> Mapping[str, str | None]:
        found.append(await server.serving.app.collect(path, []))
        return {update.name: None for update in push.updates}

    server.judge = judge
    git.run("push", "-q", server.url(), "main")
    assert found == [False]
    assert has(path, git.text("rev-parse", "main").strip())


def test_a_collection_gives_way_to_a_push(
    server: Server, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.path()
    git.run("push", "-q", server.url(), "main")
    git.commit({"more.bin": os.urandom(1000)})
    app, loop = server.serving.app, server.serving.loop
    with monkeypatch.context() as patched:
        pid = git_that_never_ends(tmp_path, patched)
        collected = asyncio.run_coroutine_threadsafe(app.collect(path, []), loop)
        wait_for(pid.exists, 60)
        git.run("push", "-q", server.url(), "main")
        assert collected.result(60) is False
    wait_for(lambda: has_ended(int(pid.read_text())), 60)
    assert collecting.is_due(path)
    assert asyncio.run_coroutine_threadsafe(app.collect(path, []), loop).result(60)
    assert has(path, git.text("rev-parse", "main").strip())


def test_git_that_takes_too_long_is_ended(
    server: Server, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git.run("push", "-q", server.url(), "main")
    pid = git_that_never_ends(tmp_path, monkeypatch)
    monkeypatch.setattr(collecting, "TIMEOUT_S", 1.0)
    with pytest.raises(OSError):
        asyncio.run(collecting.collect(server.path(), []))
    wait_for(lambda: has_ended(int(pid.read_text())), 60)
    assert not collecting.is_due(server.path())  # or it would be tried for ever


def test_git_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    path = tmp_path / "hello.git"
    trees.init(path)
    (path / "refs/heads/main").write_text("1" * 40 + "\n")
    with pytest.raises(OSError, match="git repack"):
        asyncio.run(collecting.collect(path, []))


def test_a_listing_that_is_not_read_to_its_end_leaves_no_git(tmp_path: Path, git: Git) -> None:
    """More than a pipe holds: git would wait for its reader for ever."""
    git.commit({f"{number}.txt": f"{number}\n" for number in range(3000)})

    async def story() -> int:
        words = ("cat-file", "--batch-all-objects", "--batch-check")
        async with contextlib.aclosing(gitcommand.lines(git.folder / ".git", *words)) as lines:
            async for _ in lines:
                [process] = children(os.getpid())
                break
        return process

    assert not Path(f"/proc/{asyncio.run(story())}").exists()
