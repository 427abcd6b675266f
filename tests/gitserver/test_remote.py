"""A commit of another server's, fetched and kept: that server is git's own `http-backend`."""

import asyncio
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitserver import GitServer, JobFailed, Limits, RemoteFault, application, remote, trees
from gitserver.protocol import packets
from tests.git_over_http import GitHost, on_loopback


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with on_loopback(tmp_path / "host") as found:
        yield found


def server(repositories: Path) -> GitServer:
    """It is asked nothing here."""

    async def nobody(*_: object) -> None:
        raise AssertionError

    return application(
        repositories=repositories,
        authenticate=nobody,
        find=nobody,  # type: ignore[arg-type]
        accept=nobody,  # type: ignore[arg-type]
        limits=Limits(),
    )


def asked(host: GitHost, name: str, branch: str = "main") -> tuple[str, bytes]:
    """The branch's commit, and the raw answer to who wants it."""
    with httpx.Client(trust_env=False) as client:
        told = client.get(f"{host.url(name)}/info/refs?service=git-upload-pack")
        found = remote.advertised(told.content)
        commit = found.refs[f"refs/heads/{branch}"]
        body = remote.request(commit, found.capabilities)
        answer = client.post(
            f"{host.url(name)}/git-upload-pack",
            content=body,
            headers={"Content-Type": remote.REQUEST},
        )
    return commit, answer.content


def store(folder: Path, *answers: tuple[str, bytes]) -> Path:
    """The repository that has them."""
    repository = folder / "kept.git"
    trees.init(repository)

    async def story() -> None:
        git_server = server(folder)
        await git_server.start()
        try:
            for number, (commit, content) in enumerate(answers):
                path = folder / f"answer-{number}"
                path.write_bytes(content)
                await git_server.store_fetched(repository, path, commit)
                assert path.read_bytes() == content
        finally:
            await git_server.aclose()

    asyncio.run(story())
    return repository


def test_the_newest_commits_are_kept_without_their_history(tmp_path: Path, host: GitHost) -> None:
    host.commit("app", {"old.txt": "old", "a/b.txt": "1"})
    first = asked(host, "app")
    newest = host.commit("app", {"a/b.txt": "2", "large": "x" * 300_000})
    second = asked(host, "app")
    assert second[0] == newest
    repository = store(tmp_path, first, second)
    names = [entry.path for entry in trees.entries(repository, newest)]
    assert names == [b"a/b.txt", b"large", b"old.txt"]
    assert trees.read_file(repository, newest, "a/b.txt", 10) == b"2"
    trees.set_ref(repository, "refs/heads/main", newest)
    done = subprocess.run(["git", "-C", repository, "fsck", "--strict"], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_what_is_not_the_commit_is_refused(tmp_path: Path, host: GitHost) -> None:
    host.commit("app", {"a.txt": "1"})
    commit, content = asked(host, "app")
    with pytest.raises(JobFailed, match="was not sent"):
        store(tmp_path / "one", ("1" * 40, content))
    half = content[: len(content) // 2]
    with pytest.raises(RemoteFault, match=r"ended before|damaged"):
        store(tmp_path / "two", (commit, half))


def test_a_server_that_refuses_is_heard() -> None:
    said = b"".join([packets.encode("ERR access denied or repository not exported: /x\n")])
    with pytest.raises(RemoteFault, match="access denied"):
        remote.unpack(io.BytesIO(said), io.BytesIO())
    for content in (b"<html>", b"", packets.encode("# service=git-receive-pack\n")):
        with pytest.raises(RemoteFault, match="no git server"):
            remote.advertised(content)
    with pytest.raises(RemoteFault, match="without its history"):
        remote.request("1" * 40, frozenset({"side-band-64k"}))


@given(st.binary(max_size=200), st.sampled_from([b"", b"0008NAK\n", b"0000"]))
def test_whatever_answers_is_a_pack_or_a_fault(content: bytes, begin: bytes) -> None:
    for question in (
        lambda: remote.advertised(begin + content),
        lambda: remote.unpack(io.BytesIO(begin + content), io.BytesIO()),
    ):
        try:
            question()
        except RemoteFault:
            continue
