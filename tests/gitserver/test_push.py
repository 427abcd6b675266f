"""Pushes with the real command against the real server."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitserver import Push, trees
from tests.gitserver.conftest import Git, Server


def refs(server: Server) -> dict[str, str]:
    text = subprocess.run(
        ["git", "-C", str(server.path()), "for-each-ref", "--format=%(refname) %(objectname)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout
    return dict(line.split(" ") for line in text.splitlines())


def test_a_push_moves_the_ref_and_is_judged_once(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")

    tip = git.text("rev-parse", "main")
    assert refs(server) == {"refs/heads/main": tip}
    (push,) = server.pushes
    assert (push.repository, push.user, push.path) == ("hello", "dev", server.path())
    assert [(u.name, u.old, u.new) for u in push.updates] == [("refs/heads/main", None, tip)]


def test_the_objects_are_there_when_a_push_is_judged(server: Server, git: Git) -> None:
    seen = []

    async def judge(push: Push) -> Mapping[str, str | None]:
        new = push.updates[0].new or ""
        seen.append(trees.read_file(push.path, new, "server.js", 1000))
        seen.append(trees.resolve(push.path, "main"))
        return {"refs/heads/main": None}

    server.judge = judge
    git.run("push", server.url(), "main")
    assert seen == [b"console.log('one')\n", None]


def test_a_url_without_the_suffix_works_too(server: Server, git: Git) -> None:
    git.run("push", server.url().removesuffix(".git"), "main")
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}


def test_pushes_follow_one_another(server: Server, git: Git) -> None:
    for number in range(5):
        git.commit({"server.js": f"console.log({number})\n"})
        git.run("push", server.url(), "main")
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}
    assert git.run("push", server.url(), "main").stderr.endswith(b"Everything up-to-date\n")
    assert len(server.pushes) == 5


def test_a_thin_pack_is_completed(server: Server, git: Git) -> None:
    lines = [f"line {number} of a file that changes a little" for number in range(3000)]
    git.commit({"long.txt": "\n".join(lines)})
    git.run("push", server.url(), "main")
    lines[1500] = "changed"
    git.commit({"long.txt": "\n".join(lines)})
    git.run("push", "--thin", server.url(), "main")

    content = trees.read_file(server.path(), git.text("rev-parse", "main"), "long.txt", 10**6)
    assert content == "\n".join(lines).encode()


def test_progress_is_shown_as_it_stands_and_while_work_goes_on(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        await push.progress("-----> Building\n       detail\n")
        await push.progress(" !     größer\n")
        return {"refs/heads/main": None}

    server.judge = judge
    shown = git.run("push", server.url(), "main").stderr.decode()
    lines = [line.rstrip() for line in shown.splitlines()]
    assert lines[:3] == [
        "remote: -----> Building",
        "remote:        detail",
        "remote:  !     größer",
    ]


def test_a_line_of_progress_arrives_before_the_push_ends(server: Server, git: Git) -> None:
    seen = asyncio.Event()
    loops = []

    async def judge(push: Push) -> Mapping[str, str | None]:
        loops.append(asyncio.get_running_loop())
        await push.progress("-----> Waiting for the reader\n")
        await asyncio.wait_for(seen.wait(), 20)
        return {"refs/heads/main": None}

    server.judge = judge
    with subprocess.Popen(
        ["git", "push", server.url(), "main"],
        cwd=git.folder,
        env=git.environment,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr
        assert b"Waiting for the reader" in process.stderr.readline()
        loops[0].call_soon_threadsafe(seen.set)
        process.stderr.read()
    assert process.returncode == 0


def test_keep_alives_are_invisible(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        # Several times the server's keep-alive interval without a word.
        await asyncio.sleep(1)
        return {"refs/heads/main": None}

    server.judge = judge
    shown = git.run("push", server.url(), "main").stderr.decode()
    assert shown.splitlines()[0].startswith("To ")
    assert "main -> main" in shown


def test_a_refused_ref_fails_the_push_and_stays(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        await push.progress(" !     Push rejected, failed to compile Node.js app.\n")
        return {"refs/heads/main": "pre-receive hook declined"}

    server.judge = judge
    shown = git.error("push", server.url(), "main")
    assert "! [remote rejected] main -> main (pre-receive hook declined)" in shown
    assert "remote:  !     Push rejected, failed to compile Node.js app." in shown
    assert refs(server) == {}


def test_a_push_can_be_repeated_after_a_refusal(server: Server, git: Git) -> None:
    async def refuse(push: Push) -> Mapping[str, str | None]:
        return {"refs/heads/main": "no"}

    judge, server.judge = server.judge, refuse
    git.error("push", server.url(), "main")
    server.judge = judge
    git.run("push", server.url(), "main")
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}


def test_one_ref_can_be_refused_while_others_change(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        return {u.name: "no" if u.name.endswith("bad") else None for u in push.updates}

    server.judge = judge
    shown = git.error("push", server.url(), "main", "main:bad")
    assert "[remote rejected] main -> bad (no)" in shown
    assert list(refs(server)) == ["refs/heads/main"]


def test_an_atomic_push_changes_all_refs_or_none(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        return {u.name: "no" if u.name.endswith("bad") else None for u in push.updates}

    server.judge = judge
    shown = git.error("push", "--atomic", server.url(), "main", "main:bad")
    assert "main -> main (atomic push failed)" in shown
    assert refs(server) == {}


def test_a_ref_that_accept_forgets_is_refused(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        return {}

    server.judge = judge
    assert "not accepted" in git.error("push", server.url(), "main")


def test_a_defect_in_accept_refuses_without_details(server: Server, git: Git) -> None:
    async def judge(push: Push) -> Mapping[str, str | None]:
        raise RuntimeError("password=123")

    server.judge = judge
    shown = git.error("push", server.url(), "main")
    assert "internal error of the server" in shown
    assert "123" not in shown


def test_force_push_replaces_history(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")
    git.run("commit", "-q", "--amend", "-m", "Another first")
    assert "[rejected]" in git.error("push", server.url(), "main")
    git.run("push", "-f", server.url(), "main")
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}


def test_branches_are_deleted(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main", "main:topic/one")
    git.run("push", server.url(), ":topic/one")
    assert list(refs(server)) == ["refs/heads/main"]
    assert server.pushes[1].updates[0].new is None
    # The folder that the ref left behind must not be in the way.
    git.run("push", server.url(), "main:topic")
    assert sorted(refs(server)) == ["refs/heads/main", "refs/heads/topic"]


def test_tags_arrive_annotated_and_light(server: Server, git: Git) -> None:
    git.run("tag", "light")
    git.run("tag", "-a", "v1", "-m", "One")
    git.run("push", server.url(), "main", "--tags")
    assert refs(server)["refs/tags/v1"] == git.text("rev-parse", "v1")
    assert trees.resolve(server.path(), "v1") == git.text("rev-parse", "main")


def test_push_options_are_handed_on(server: Server, git: Git) -> None:
    git.run("push", "-o", "no-cache", "-o", "größe=1", server.url(), "main")
    assert server.pushes[0].push_options == ("no-cache", "größe=1")


@pytest.mark.parametrize("name", ["größe", "日本語", "a.b-c_d", "x" * 200, "#1", "(x)&$y"])
def test_odd_names_of_refs_arrive_as_they_are(server: Server, git: Git, name: str) -> None:
    git.run("push", server.url(), f"main:refs/heads/{name}")
    assert list(refs(server)) == [f"refs/heads/{name}"]
    assert name in git.text("ls-remote", server.url())


def test_a_name_that_is_not_utf8_is_kept_byte_by_byte(server: Server, git: Git) -> None:
    git.run(b"push", server.url().encode(), b"main:refs/heads/caf\xe9")
    assert server.pushes[0].updates[0].name == "refs/heads/caf\udce9"
    assert b"refs/heads/caf\xe9" in git.run("ls-remote", server.url()).stdout


def test_a_ref_below_another_is_refused(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")
    assert "folder of another" in git.error("push", server.url(), "main:refs/heads/main/sub")


def test_hidden_refs_are_neither_shown_nor_pushed_to(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")
    tip = git.text("rev-parse", "main")
    trees.set_ref(server.path(), "refs/hidden/release/1", tip)
    assert "hidden" not in git.text("ls-remote", server.url())
    assert "hidden ref" in git.error("push", server.url(), "main:refs/hidden/mine")


def test_a_large_push_streams_with_gits_default_settings(server: Server, git: Git) -> None:
    git.commit({"random.bin": os.urandom(60_000_000)})
    git.run("push", server.url(), "main")
    # The probe: git asks with an empty request before it sends more than http.postBuffer.
    posts = [line for line in server.requests if line.startswith("POST")]
    assert len(posts) == 2
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}


def test_a_push_in_many_small_chunks_arrives(server: Server, git: Git) -> None:
    git.commit({f"file{n}.txt": f"{n}\n" * 50 for n in range(500)})
    git.run("-c", "http.postBuffer=1000", "push", server.url(), "main")
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "main")}


def test_a_clone_without_history_pushes_what_follows_on_a_commit_that_is_here(
    server: Server, git: Git, tmp_path: Path
) -> None:
    """As `git clone --depth 1` of the app itself and many CI systems do; git's server takes it."""
    for number in range(3):
        git.commit({"server.js": f"{number}\n"})
    git.run("push", server.url(), "main")
    git.run("clone", "-q", "--depth=1", server.url(), str(tmp_path / "shallow"))
    shallow = git.at(tmp_path / "shallow")
    assert shallow.text("rev-list", "--count", "HEAD") == "1"
    tip = shallow.commit({"server.js": "new\n"})
    shallow.run("push", server.url(), "main")
    assert refs(server) == {"refs/heads/main": tip}
    assert shallow.text("fetch", "--unshallow", server.url(), "main") == ""
    assert shallow.text("rev-list", "--count", "HEAD") == "5"


def test_a_push_to_a_ref_that_moved_meanwhile_is_refused(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")
    first = git.text("rev-parse", "main")
    second = git.commit({"server.js": "two\n"})
    git.run("push", server.url(), "main:other")

    async def judge(push: Push) -> Mapping[str, str | None]:
        trees.set_ref(push.path, "refs/heads/main", second)
        return {"refs/heads/main": None}

    server.judge = judge
    git.run("checkout", "-q", "-b", "third", first)
    git.commit({"server.js": "three\n"})
    shown = git.error("push", server.url(), "third:main")
    assert "meanwhile" in shown
    assert refs(server)["refs/heads/main"] == second
