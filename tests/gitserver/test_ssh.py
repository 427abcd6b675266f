"""git over SSH, with the real git and ssh: what holds over HTTP holds here, and who may connect."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitserver import Limits, Refusal, ssh, trees
from tests.gitserver.conftest import GIT_TIMEOUT_S, Git, Server, Serving, wait_for
from tests.gitserver.test_fetch import (  # noqa: F401
    pushed,
    test_a_clone_has_everything,
    test_a_clone_of_an_empty_repository_starts_on_main,
    test_a_fetch_after_both_sides_went_on_negotiates,
    test_a_fetch_brings_what_is_new_and_no_more,
    test_a_large_file_is_fetched,
    test_a_shallow_clone_can_be_pulled_deepened_and_made_whole,
    test_an_empty_repository_is_cloned,
    test_an_unknown_repository_is_explained,
    test_master_is_checked_out_when_there_is_no_main,
)
from tests.gitserver.test_push import (  # noqa: F401
    test_a_clone_without_history_pushes_what_follows_on_a_commit_that_is_here,
    test_a_line_of_progress_arrives_before_the_push_ends,
    test_a_name_that_is_not_utf8_is_kept_byte_by_byte,
    test_a_push_moves_the_ref_and_is_judged_once,
    test_a_push_to_a_ref_that_moved_meanwhile_is_refused,
    test_a_refused_ref_fails_the_push_and_stays,
    test_a_thin_pack_is_completed,
    test_an_atomic_push_changes_all_refs_or_none,
    test_branches_are_deleted,
    test_force_push_replaces_history,
    test_hidden_refs_are_neither_shown_nor_pushed_to,
    test_keep_alives_are_invisible,
    test_one_ref_can_be_refused_while_others_change,
    test_progress_is_shown_as_it_stands_and_while_work_goes_on,
    test_push_options_are_handed_on,
    test_tags_arrive_annotated_and_light,
)
from tests.gitserver.test_shallow import (  # noqa: F401
    story,
    test_a_clone_of_any_depth_pushes_into_an_empty_repository,
    test_a_clone_of_such_a_repository_is_shallow_as_gits_is,
    test_work_goes_on_from_such_a_clone,
)


@dataclass
class SshServer(Server):
    """`keys`: whose public key is whose; a Refusal is for pushes only."""

    ssh_port: int = 0
    keys: dict[bytes, str | Refusal] = field(default_factory=dict)

    def url(self, name: str = "hello", credentials: str = "git@") -> str:
        return f"ssh://{credentials}127.0.0.1:{self.ssh_port}/{name}.git"

    async def identify(self, key: bytes, pushes: bool) -> str | Refusal | None:
        user = self.keys.get(key)
        return "reader" if isinstance(user, Refusal) and not pushes else user


class ServingSsh(Serving):
    async def _serve(self) -> None:
        assert isinstance(self.server, SshServer)
        listening = socket.create_server(("127.0.0.1", 0))
        self.server.ssh_port = listening.getsockname()[1]
        self.loop = asyncio.get_running_loop()
        await self.app.start()
        host_key = HOST_KEY.export_private_key()
        self.acceptor = await ssh.serve(self.app, listening, host_key, self.server.identify)
        try:
            await self.uvicorn.serve()
        finally:
            self.acceptor.close()
            await self.app.aclose()


HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(tmp_path: Path, limits: Limits) -> Iterator[SshServer]:
    server = SshServer(tmp_path / "repositories")
    trees.init(server.path())
    with ServingSsh(server, limits):
        yield server
    assert list((server.repositories / ".incoming").glob("*")) == []
    for repository in server.repositories.glob("*.git"):
        fsck = ["git", "-C", str(repository), "fsck", *server.fsck]
        subprocess.run(fsck, capture_output=True, timeout=GIT_TIMEOUT_S, check=True)


@pytest.fixture
def git(git: Git, server: SshServer) -> Git:
    """Its key is the developer's."""
    server.keys[use_key(git, server)] = "dev"
    return git


def use_key(git: Git, server: SshServer) -> bytes:
    """A new key that git shows from now on."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path, known = git.home / "id", git.home / "known_hosts"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    host = HOST_KEY.export_public_key().decode().strip()
    known.write_text(f"[127.0.0.1]:{server.ssh_port} {host}\n")
    git.run("config", "--global", "core.sshCommand", " ".join(command(git)))
    return key.public_data


def command(git: Git) -> list[str]:
    options = ("IdentitiesOnly=yes", f"UserKnownHostsFile={git.home}/known_hosts", "BatchMode=yes")
    return ["ssh", "-F", "none", "-i", f"{git.home}/id", *(f"-o{option}" for option in options)]


def plain(git: Git, server: SshServer, *words: str) -> subprocess.CompletedProcess[str]:
    """ssh without git."""
    argv = [*command(git), "-p", str(server.ssh_port), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)


def test_nobodys_key_is_turned_away(server: SshServer, git: Git) -> None:
    use_key(git, server)
    assert "Permission denied (publickey)" in git.error("push", server.url(), "main", code=128)
    assert server.pushes == []


def test_a_key_that_may_only_read_is_told_so(server: SshServer, git: Git) -> None:
    git.run("push", "-q", server.url(), "main")
    server.keys[use_key(git, server)] = Refusal("this key may only fetch")
    assert git.text("ls-remote", server.url(), "main")
    git.commit({}, "More")
    said = git.error("push", server.url(), "main", code=128)
    assert "remote error: this key may only fetch" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["git@127.0.0.1"], "this address is for git only"),
        (["git@127.0.0.1", "id"], "no commands here but git's push and fetch, so no 'id'"),
        (["git@127.0.0.1", "git-upload-pack '/../../etc/passwd'"], "is no repository"),
        (["git@127.0.0.1", "git-upload-pack '/hello.git'; id"], "no commands here but git's"),
        (["git@127.0.0.1", "git-lfs-authenticate hello.git upload"], "(Git LFS) travel over HTTP"),
        (["-s", "git@127.0.0.1", "sftp"], "subsystem request failed"),
        (["-W", "127.0.0.1:22", "git@127.0.0.1"], "open failed"),
    ],
)
def test_there_are_no_shells_no_commands_and_no_forwarding(
    server: SshServer, git: Git, words: list[str], told: str
) -> None:
    done = plain(git, server, *words)
    assert done.returncode != 0
    assert told in done.stderr
    assert done.stdout == ""


def test_a_password_is_not_asked_for(server: SshServer, git: Git) -> None:
    methods = "-oPreferredAuthentications=password,keyboard-interactive,none"
    done = plain(git, server, methods, "git@127.0.0.1", "git-upload-pack /hello.git")
    assert "Permission denied (publickey)" in done.stderr


def test_a_developer_who_presses_ctrl_c_cancels_the_push(server: SshServer, git: Git) -> None:
    cancelled: list[bool] = []

    async def judge(push: object) -> dict[str, str | None]:
        push = server.pushes[-1]
        await push.cancelled.wait()
        cancelled.append(True)
        return {}

    server.judge = judge
    pushing = subprocess.Popen(
        ["git", "push", server.url(), "main"],
        cwd=git.folder, env=git.environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: bool(server.pushes))
        os.killpg(pushing.pid, signal.SIGINT)
        wait_for(lambda: bool(cancelled))
    finally:
        pushing.wait(GIT_TIMEOUT_S)


@given(st.text())
def test_any_command_is_understood_or_refused(text: str) -> None:
    for typed in (text, f"git-receive-pack '{text}'", f"git upload-pack {text}"):
        asked = ssh.parse(typed)
        if isinstance(asked, ssh.Asked):
            assert asked.name and "/" not in asked.name and not asked.name.startswith(".")
        else:
            assert asked


@pytest.mark.parametrize(
    "path", ["hello", "hello.git", "/hello.git", "~/hello.git", "/hello.git/", "/hello"]
)
def test_the_forms_of_a_path_that_git_sends(path: str) -> None:
    assert ssh.parse(f"git-receive-pack '{path}'") == ssh.Asked("git-receive-pack", "hello")
