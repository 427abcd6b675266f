"""What git itself may ask of the platform, with the system's own git and nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, read_until, remote_lines
from tests.acceptance.installation import Installation

LARGE_BYTES = 30 << 20


def test_a_push_to_an_unknown_app_names_the_nearest_and_the_way_to_create_it(
    platform: Installation, app: Developer
) -> None:
    misspelt = app.app[:-1] + "x"
    url = f"http://localhost:{platform.settings.control_port}/{misspelt}.git"
    refused = app.push(
        url, "HEAD:main", check=False, options=["-c", f"credential.helper={helper(app)}"]
    )
    assert refused.status != 0
    assert app.app in refused.err, refused.err
    assert f"paas create {misspelt}" in refused.err


def helper(app: Developer) -> str:
    """The credential helper that `paas create` has set for the app's own address."""
    address = app.git("remote", "get-url", "paas").out.strip()
    found = app.git("config", "--get-all", f"credential.{address}.helper").out.splitlines()
    return found[-1]


def test_other_branches_are_stored_and_that_is_said(app: Developer) -> None:
    app.git("checkout", "--quiet", "-b", "feature")
    app.version("feature")
    commit = app.commit("A feature")
    stored = app.push("paas", "feature")
    assert any("Stored feature" in line for line in remote_lines(stored))
    assert app.get().text == "one"
    assert app.git("ls-remote", "paas", "refs/heads/feature").out.split()[0] == commit


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_protocol_of_git_pushes_and_clones(
    app: Developer, tmp_path: Path, version: str
) -> None:
    options = ("-c", f"protocol.version={version}")
    app.version(f"protocol {version}")
    commit = app.commit()
    app.push(options=options)
    assert app.get().text == f"protocol {version}"
    address = app.git("remote", "get-url", "paas").out.strip()
    with_helper = ("-c", f"credential.helper={helper(app)}")
    app.git(*options, *with_helper, "clone", "--quiet", address, str(tmp_path / "clone"))
    head = app.git("-C", str(tmp_path / "clone"), "rev-parse", "origin/main").out.strip()
    assert head == commit
    app.git("-C", str(tmp_path / "clone"), "fsck", "--strict")


def test_history_can_be_rewritten_only_by_force(app: Developer) -> None:
    app.release("two")
    app.git("reset", "--quiet", "--hard", "HEAD~1")
    app.version("other")
    app.commit("Another history")
    refused = app.push(check=False)
    assert refused.status == 1 and "rejected" in refused.err
    assert app.get().text == "two"
    app.push("--force", "paas", "HEAD:main")
    assert app.get().text == "other"


def test_the_second_of_two_pushes_waits_and_is_then_told_that_it_is_stale(
    app: Developer, tmp_path: Path
) -> None:
    slow = app.folder / "package.json"
    slow.write_text(slow.read_text().replace('"start"', '"build": "echo slowly; sleep 3", "start"'))
    app.version("first")
    app.commit("Slow build")
    other = Developer(app.installation, app.app, tmp_path / "other")
    other.folder.mkdir()
    app.git("clone", "--quiet", str(app.folder), str(other.folder))
    for line in app.git("config", "--get-regexp", "^(remote.paas|credential)").out.splitlines():
        key, _, value = line.partition(" ")
        other.git("config", "--add", key, value)
    other.version("second")
    other.commit("Beside it")
    first = app.begin("push", "paas", "HEAD:main")
    read_until(first, "slowly")
    late = other.push(check=False)
    _, rest = first.communicate(timeout=60)
    assert first.returncode == 0, rest
    assert late.status == 1
    assert "[remote rejected]" in late.err, late.err
    assert any("Waiting" in line for line in remote_lines(late))
    assert app.get().text == "first"


def test_a_large_push_needs_no_setting_and_no_dns(app: Developer) -> None:
    """Larger than http.postBuffer, so git probes and sends in chunks."""
    (app.folder / "noise.bin").write_bytes(os.urandom(LARGE_BYTES))
    app.version("large")
    app.commit("30 MB of noise")
    app.push()
    assert app.get().text == "large"
    assert app.inside("stat -c %s noise.bin")["stdout"] == f"{LARGE_BYTES}\n"


def test_no_token_is_written_into_the_repository_or_shown_in_arguments(app: Developer) -> None:
    config = (app.folder / ".git" / "config").read_text()
    assert "paas_" not in config
    assert "@" not in app.git("remote", "get-url", "paas").out
    trace = app.git("-c", "http.version=HTTP/1.1", "ls-remote", "paas").text
    assert "paas_" not in trace


def test_a_wrong_token_is_refused(platform: Installation, new_app: NewApp) -> None:
    developer = new_app()
    port = platform.settings.control_port
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", "x:paas_wrong",
         f"http://localhost:{port}/{developer.app}.git/info/refs?service=git-receive-pack"],
        capture_output=True,
        text=True,
        timeout=30,
    )  # fmt: skip
    assert done.stdout == "401"
