"""`paas deploy`: a folder is deployed, with or without git, and git goes on working beside it."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from paas.cli import main
from paas.cli.commands import deploy as command
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import BIN, Finished, Installation, until

FILES = [path.name for path in PROBE.iterdir()]


@pytest.fixture
def plain(new_app: NewApp, tmp_path: Path) -> Developer:
    """An app, and its files in a folder that no git has seen."""
    app = new_app()
    folder = tmp_path / "plain"
    shutil.copytree(PROBE, folder)
    return Developer(app.installation, app.app, folder)


def without_git(installation: Installation, tmp_path: Path) -> dict[str, str]:
    """A PATH with nothing on it."""
    empty = tmp_path / "bin"
    empty.mkdir(exist_ok=True)
    return installation.developer | {"PATH": str(empty)}


def deployed(app: Developer, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(app.paas("deploy", "--json", *words).out)
    return found


def refused(app: Developer, *words: str) -> Finished:
    done = app.paas("deploy", *words, check=False)
    assert done.status != 0
    return done


def test_a_folder_is_live_without_git_and_with_nothing_but_a_token(
    plain: Developer, tmp_path: Path
) -> None:
    installation = plain.installation
    token = installation.paas("auth:token", "--scope", "write-protected").out.strip()
    environment = without_git(installation, tmp_path) | {
        "PAAS_API": f"http://127.0.0.1:{installation.settings.control_port}",
        "PAAS_TOKEN": token,
    }
    del environment["PAAS_INSTALLATION"]
    words = ("deploy", str(plain.folder), "-a", plain.app)
    done = installation.paas(*words, environment=environment)
    assert "Released v1" in done.out
    assert plain.get().text == "one"


def test_what_is_left_out_and_what_is_sent_is_said(plain: Developer) -> None:
    (plain.folder / "node_modules" / "x").mkdir(parents=True)
    (plain.folder / "node_modules" / "x" / "index.js").write_text("x")
    plain.write(__gitignore=".env\n*.log\n", __env="SECRET=1", debug__log="x")
    listed = plain.paas("deploy", "--dry-run")
    assert set(listed.out.split()) == {".gitignore", *FILES}
    first = plain.paas("deploy")
    assert "node_modules/" in first.err
    assert ".env (.gitignore), debug.log (.gitignore)" in first.err
    plain.version("two")
    second = plain.paas("deploy")
    assert f"Sending 1 of {len(FILES) + 1} files" in second.err
    assert plain.get().text == "two"
    there = str(plain.inside("ls -A")["stdout"]).split()
    assert "server.js" in there and ".env" not in there


def test_releases_rollback_and_clones_are_as_after_a_push(plain: Developer, tmp_path: Path) -> None:
    deployed(plain)
    plain.version("two")
    second = deployed(plain, "-m", "Summer prices")
    assert "v2" in plain.paas("releases").out
    plain.paas("rollback")
    assert plain.get().text == "one"
    plain.paas("rollback", "v2")
    assert plain.get().text == "two"
    clone = Developer(plain.installation, plain.app, tmp_path / "clone")
    clone.folder.mkdir()
    url = f"http://localhost:{plain.installation.settings.control_port}/{plain.app}.git"
    clone.git("init", "--quiet", "--initial-branch=main")
    plain.installation.paas("git:remote", "-a", plain.app, folder=clone.folder)
    assert clone.git("remote", "get-url", "paas").out.strip() == url
    clone.git("pull", "--quiet", "paas", "main")
    assert clone.git("rev-parse", "HEAD").out.strip() == second["commit"]
    assert clone.git("log", "-1", "--format=%s").out == "Summer prices\n"
    assert (clone.folder / "server.js").read_text() == (plain.folder / "server.js").read_text()
    clone.release("three")
    assert plain.get().text == "three"


def test_a_push_that_lacks_the_folders_commit_is_refused_and_both_ways_on_work(
    app: Developer,
) -> None:
    app.version("from the folder")
    said = app.paas("deploy")
    assert "git pull paas" in said.err
    assert app.get().text == "from the folder"
    app.git("checkout", "--quiet", "--", ".")
    app.version("by git")
    app.commit("by git")
    no = app.push(check=False)
    assert no.status == 1 and "fetch first" in no.err
    assert app.get().text == "from the folder"
    pulled = app.git("pull", "--no-rebase", "-X", "ours", "--no-edit", "paas", "main")
    assert pulled.status == 0
    app.push()
    assert app.get().text == "by git"
    app.version("another folder")
    app.paas("deploy")
    app.git("checkout", "--quiet", "--", ".")
    app.push("--force", "paas", "HEAD:main")
    assert app.get().text == "by git"


def test_a_folder_that_can_not_run_fails_and_changes_nothing(plain: Developer) -> None:
    before = deployed(plain)
    (plain.folder / "server.js").write_text("oops(")
    done = refused(plain)
    assert done.status == 1
    assert "SyntaxError" in done.out and "Not deployed" in done.err
    assert plain.get().text == "one"
    shutil.copy(PROBE / "server.js", plain.folder)
    again = deployed(plain)
    assert again["sent_bytes"] == 0 and again["commit"] != before["commit"]


def test_what_is_tidied_away_between_question_and_answer_is_sent(
    plain: Developer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in plain.installation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "_needed", lambda *_: set())
    monkeypatch.chdir(plain.folder)
    assert main(["deploy", "-a", plain.app]) == 0
    assert "everything is sent" in capsys.readouterr().err
    assert plain.get().text == "one"


def test_ctrl_c_cancels(plain: Developer) -> None:
    deployed(plain)
    plain.version("never")
    package = json.loads((plain.folder / "package.json").read_text())
    package.setdefault("scripts", {})["build"] = "echo building; sleep 600"
    (plain.folder / "package.json").write_text(json.dumps(package))
    with subprocess.Popen(
        [str(BIN / "paas"), "deploy", "-a", plain.app],
        cwd=plain.folder,
        env=plain.installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "building" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
    until(lambda: "failed" in plain.paas("builds", "-n", "1").out, 30)
    assert plain.get().text == "one"


def test_what_is_no_apps_folder_is_refused(plain: Developer, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no files" in refused(plain, str(empty)).err
    assert "is no folder" in refused(plain, str(tmp_path / "none")).err
    assert "not an app's folder" in refused(plain, "/").err
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "notes.txt").write_text("x")
    assert "package.json" in refused(plain, str(lacking)).out


def test_the_folder_that_is_named_says_which_app_it_is(new_app: NewApp) -> None:
    """Not the folder where the command is typed."""
    here, there = new_app(), new_app()
    there.version("there")
    done = here.installation.paas("deploy", str(there.folder), folder=here.folder)
    assert f"to ⬢ {there.app}" in done.err
    assert there.get().text == "there"
