"""What CI systems do with git: shallow clones, push options, large files, a token of their own."""

import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import PUSH_TIMEOUT_S, Developer, remote_lines
from tests.acceptance.installation import Installation, run

LARGE = os.urandom(1 << 20)
lfs = pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")


def in_ci(app: Developer, folder: Path, depth: int = 1) -> Developer:
    """A shallow clone of the developer's repository, with the app's remote."""
    folder.mkdir()
    ci = Developer(app.installation, app.app, folder)
    ci.git("clone", "--quiet", f"--depth={depth}", f"file://{app.folder}", str(folder))
    for line in app.git("config", "--get-regexp", "^(remote.paas|credential)").out.splitlines():
        key, _, value = line.partition(" ")
        ci.git("config", "--add", key, value)
    return ci


def test_a_clone_of_depth_one_deploys_a_new_app_and_the_next_commit(
    new_app: NewApp, tmp_path: Path
) -> None:
    app = new_app()
    app.version("first")
    app.commit("With history")
    in_ci(app, tmp_path / "first").push()
    assert app.get().text == "first"
    app.version("second")
    tip = app.commit("More of it")
    in_ci(app, tmp_path / "second").push("--force", "paas", "HEAD:main")
    assert app.get().text == "second"
    assert app.git("ls-remote", "paas", "refs/heads/main").out.split()[0] == tip
    app.version("third")
    app.commit("By hand, from the whole history")
    app.push()
    assert app.get().text == "third"


def test_an_older_commit_is_pushed_over_what_ci_pushed_as_the_advice_says(
    new_app: NewApp, tmp_path: Path
) -> None:
    """The whole clone takes the app's repository to be whole too, and sends nothing older."""
    app = new_app()
    app.version("new")
    app.commit("New")
    in_ci(app, tmp_path / "ci").push("paas", "HEAD:refs/heads/main")
    assert app.get().text == "new"
    app.git("reset", "--quiet", "--hard", "HEAD~1")
    refused = app.push("--force", "paas", "HEAD:main", check=False)
    assert refused.status == 1 and "pushed from a shallow clone" in refused.err
    environment = app.installation.developer | {
        f"GIT_{role}_{what}": "test@localhost"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    advice = [line for line in remote_lines(refused) if " -f " in line]
    assert len(advice) == 2
    for command in advice:
        run(["sh", "-c", command], environment, folder=app.folder, timeout_s=PUSH_TIMEOUT_S)
        assert app.get().text in ("new", "one")
    assert app.get().text == "one"
    app.git("fetch", "--quiet", "paas")
    assert app.git("rev-list", "--count", "paas/main").out == "1\n"


def test_the_command_for_ci_pushes_a_new_app_with_nothing_but_a_token(
    platform: Installation, new_app: NewApp, tmp_path: Path
) -> None:
    app = new_app()
    app.version("ci")
    app.commit("From CI")
    clone = tmp_path / "clone"
    app.git("clone", "--quiet", "--depth=1", f"file://{app.folder}", str(clone))
    app.git("-C", str(clone), "checkout", "--quiet", "--detach")
    token = platform.paas("auth:token", "--scope", "write-protected").out.strip()
    document = Path(__file__).parents[2].joinpath("docs/git.md").read_text()
    command = document[document.index("git -c credential.helper='!f() { echo username=ci") :]
    command = command[: command.index("\n```")].replace("hello.git", f"{app.app}.git")
    command = command.replace(":8081/", f":{platform.settings.control_port}/")
    environment = platform.developer | {"PAAS_TOKEN": token}
    done = run(["sh", "-c", command], environment, folder=clone, timeout_s=PUSH_TIMEOUT_S)
    assert done.status == 0, done.text
    assert app.get().text == "ci"


def test_a_push_can_ask_not_to_be_deployed(app: Developer) -> None:
    app.version("stored")
    tip = app.commit("Not yet")
    said = remote_lines(app.push("-o", "ci.skip", "paas", "HEAD:main"))
    assert any("nothing is deployed" in line for line in said)
    assert app.get().text == "one"
    assert app.git("ls-remote", "paas", "refs/heads/main").out.split()[0] == tip
    advice = next(line for line in said if "paas builds:create" in line)
    app.paas(*advice.partition("paas ")[2].split())
    assert app.get().text == "stored"


def test_a_detached_push_is_followed_as_its_words_say(app: Developer) -> None:
    app.version("detached")
    app.commit("Not waited for")
    said = remote_lines(app.push("-o", "detach", "paas", "HEAD:main"))
    assert not any("Released" in line for line in said)
    advice = next(line for line in said if "paas builds:output" in line)
    followed = app.paas(*advice.partition("paas ")[2].split())
    assert "Released v2" in followed.out
    assert app.get().text == "detached"


def test_another_branch_is_deployed_as_the_words_of_a_push_to_it_say(app: Developer) -> None:
    app.version("release")
    app.commit("For the release branch")
    said = remote_lines(app.push("paas", "HEAD:refs/heads/release"))
    assert app.get().text == "one"
    advice = next(line for line in said if "paas apps:set" in line)
    words = advice.partition("paas ")[2].split()
    app.installation.paas(*words)
    app.paas("builds:create")
    assert app.get().text == "release"
    app.version("again")
    app.commit("Once more")
    app.push("paas", "HEAD:release")
    assert app.get().text == "again"
    app.version("main")
    app.commit("Main")
    said = remote_lines(app.push("paas", "HEAD:main"))
    assert any("Only release is deployed" in line for line in said)
    assert app.get().text == "again"
    deployed = app.paas("deploy", "--json")
    assert '"branch": "release"' in deployed.out
    assert app.get().text == "main"


@lfs
def test_large_files_come_with_the_push_and_into_the_app(app: Developer) -> None:
    app.git("lfs", "install", "--local")
    app.git("lfs", "track", "*.bin")
    (app.folder / "model.bin").write_bytes(LARGE)
    app.version("large")
    app.commit("A model")
    app.push()
    assert app.inside("stat -c %s model.bin")["stdout"] == f"{len(LARGE)}\n"
    app.version("again")
    app.commit("Nothing large")
    app.push()
    assert app.inside("stat -c %s model.bin")["stdout"] == f"{len(LARGE)}\n"


@lfs
def test_large_files_that_were_not_pushed_are_named_and_the_advice_works(app: Developer) -> None:
    app.git("lfs", "install", "--local")
    app.git("lfs", "track", "*.bin")
    (app.folder / "model.bin").write_bytes(LARGE)
    app.version("large")
    app.commit("A model")
    refused = app.push("--no-verify", "paas", "HEAD:main", check=False)
    assert refused.status == 1
    assert "were not pushed: model.bin" in refused.err
    assert app.get().text == "one"
    assert "git lfs push --all paas" in refused.err
    app.git("lfs", "push", "--all", "paas")
    app.push()
    assert app.inside("stat -c %s model.bin")["stdout"] == f"{len(LARGE)}\n"
