"""The way of a push as a developer sees it: what is printed, refused, and goes on serving."""

import re
import subprocess
from dataclasses import dataclass

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import (
    SAMPLES,
    Developer,
    interrupt,
    read_until,
    remote_lines,
)
from tests.acceptance.installation import Installation, until


def test_a_first_push_is_live_when_it_returns_and_a_changed_line_boots_no_zone(
    platform: Installation, new_app: NewApp
) -> None:
    developer = new_app(SAMPLES / "express")
    first = developer.push()
    assert developer.get().text == "Hello from SmartPlatform\n"
    assert curl(developer) == "Hello from SmartPlatform\n"
    lines = remote_lines(first)
    assert re.match(r"-----> 1\. ", lines[0]), lines
    assert any("npm" in line or "added" in line for line in lines), lines
    assert all(re.match(r"-----> |=====> |       | !     |$", line) for line in lines), lines
    assert f"=====> Released v1: {developer.address}" in lines
    steps = ("snapshot", "rehearsal", "boot", "ready", "switch")
    timeline = " · ".join(rf"{step} \d+" for step in steps)
    assert re.search(rf"^ {{7}}.*{timeline} = \d+ ms$", lines[-1]), lines[-1]
    server = (developer.folder / "server.js").read_text()
    developer.write(server__js=server.replace("Hello from", "Good day from"))
    developer.commit()
    second = developer.push()
    assert developer.get().text == "Good day from SmartPlatform\n"
    again = remote_lines(second)
    assert any(re.search(r"Installing dependencies: skipped", line) for line in again), again
    assert not any("added" in line for line in again)
    assert re.search(r" · preflight \d+ · image \d+ · boot \d+ · ready ", again[-1]), again[-1]
    assert f"=====> Released v2: {developer.address}" in again

    lock = (developer.folder / "package-lock.json").read_text()
    (developer.folder / "package-lock.json").write_text(f"{lock}\n")
    developer.commit()
    third = remote_lines(developer.push())
    assert re.search(r" · zone \d+ · checkout \d+ · dependencies ", third[-1]), third[-1]
    developer.write(server__js=server)
    developer.commit()
    fourth = remote_lines(developer.push())
    assert " · image " in fourth[-1], fourth[-1]
    assert developer.get().text == "Hello from SmartPlatform\n"


def curl(developer: Developer) -> str:
    """With curl, by the name that was printed: it resolves `x.localhost` without DNS."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail", "--max-time", "10", developer.address],
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Broken:
    """A sample, what its app or script says by itself, and what the hint has to name."""

    sample: str
    own_words: str
    problem: str
    hint: str


BROKEN = (
    Broken("broken-syntax", "SyntaxError", "syntax error", "node --check"),
    Broken("broken-no-start", "", "start", "Procfile"),
    Broken("broken-build", "pages/index.md: no title", "build script failed", "npm run build"),
    Broken("broken-no-package", "", "package.json", "npm init"),
    Broken("broken-no-port", "thinking, and never listening", "port", "process.env.PORT"),
    Broken("broken-exits", "all done, goodbye", "came to its end", "worker"),
    Broken("broken-lock", "", "package-lock.json", "npm install"),
)


@pytest.mark.parametrize("broken", BROKEN, ids=[item.sample for item in BROKEN])
def test_a_broken_app_is_refused_with_its_words_and_a_hint_and_the_old_release_answers(
    app: Developer, broken: Broken
) -> None:
    before = app.git("ls-remote", "paas", "refs/heads/main").out
    app.copy(SAMPLES / broken.sample)
    app.commit("Break it")
    refused = app.push(check=False)
    assert refused.status == 1, refused.text
    assert "[remote rejected]" in refused.err
    lines = remote_lines(refused)
    problems = "\n".join(line for line in lines if line.startswith(" !     "))
    assert broken.own_words in "\n".join(lines)
    assert broken.problem in problems, refused.err
    assert broken.hint in problems, refused.err
    assert app.get().text == "one"
    assert app.git("ls-remote", "paas", "refs/heads/main").out == before
    builds = app.installation.json("builds", "--app", app.app)
    assert builds[0]["status"] == "failed"


def test_a_broken_app_can_be_mended_and_pushed(app: Developer) -> None:
    app.copy(SAMPLES / "broken-syntax")
    app.commit("Break it")
    assert app.push(check=False).status == 1
    app.copy(SAMPLES / "http")
    app.commit("Mend it")
    app.push()
    assert app.get().text == "hello\n"


def test_ctrl_c_stops_the_build_and_leaves_the_old_release(
    app: Developer, platform: Installation
) -> None:
    package = app.folder / "package.json"
    script = '"build": "echo it takes long && sleep 300", "start"'
    package.write_text(package.read_text().replace('"start"', script))
    app.commit("Build for long")
    push = app.begin("push", "paas", "HEAD:main")
    read_until(push, "it takes long")
    interrupt(push)
    assert push.returncode != 0
    until(lambda: not building(platform), 60, lambda: building(platform))
    platform.settled()
    assert app.get().text == "one"
    newest = platform.json("builds", "--app", app.app)[0]
    assert newest["status"] == "failed"
    app.git("reset", "--quiet", "--hard", "HEAD~1")
    app.release("two")
    assert app.get().text == "two"


def building(platform: Installation) -> list[str]:
    tag = "smartplatform:build"
    return [machine["uuid"] for machine in platform.machines() if tag in machine["tags"]]


def test_nothing_to_push_says_so_and_the_same_commit_can_be_built_again(app: Developer) -> None:
    again = app.push()
    assert "Everything up-to-date" in again.err
    app.paas("builds:create")
    until(lambda: current(app) == 2, 60, lambda: current(app))
    assert app.get().text == "one"


def current(app: Developer) -> int:
    """The number of the release that serves."""
    (found,) = [r for r in app.installation.json("releases", "--app", app.app) if r["current"]]
    return int(found["version"])
