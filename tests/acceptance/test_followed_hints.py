"""Hints that a failed build ends with, typed as they stand: the next push is live."""

import json
from pathlib import Path

import pytest

from tests import npm_commands
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, remote_lines

TIMEOUT_S = 300
SERVER = """
const text = require('fs').readFileSync('built.txt', 'utf8').trim();
require('http').createServer((_, to) => to.end(text)).listen(process.env.PORT);
"""


@pytest.fixture(scope="module")
def npm_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return npm_commands.environment(tmp_path_factory.mktemp("npm") / "bin")


def write(developer: Developer, script: str, **package: object) -> None:
    """An app whose build is a script that calls another, which is seen only when it runs."""
    fields = {
        "name": "app",
        "version": "1.0.0",
        "scripts": {"start": "node server.js", "build": "sh all.sh"},
        **package,
    }
    (developer.folder / "package.json").write_text(json.dumps(fields))
    (developer.folder / "server.js").write_text(SERVER)
    (developer.folder / "all.sh").write_text("./build.sh\n")
    (developer.folder / "build.sh").write_bytes(script.encode())


def hint(developer: Developer, problem: str) -> list[str]:
    """The commands that a refused push ends with."""
    refused = developer.push(check=False)
    assert refused.status == 1, refused.text
    said = [line.removeprefix(" !     ") for line in remote_lines(refused) if line[:3] == " ! "]
    number = next((at for at, line in enumerate(said) if problem in line), None)
    assert number is not None, refused.err
    return said[number + 1 :]


@pytest.mark.parametrize(
    ("script", "mode", "problem"),
    [
        ("#!/bin/sh\necho built > built.txt\n", 0o644, "may not be executed"),
        ("#!/usr/bin/env bash\r\necho built > built.txt\r\n", 0o755, "end as on Windows"),
    ],
)
def test_a_build_script_that_linux_can_t_run_is_mended_by_one_line(
    new_app: NewApp, npm_environment: dict[str, str], script: str, mode: int, problem: str
) -> None:
    developer = new_app()
    write(developer, script)
    (developer.folder / "build.sh").chmod(mode)
    developer.commit("A script")
    npm_commands.run(hint(developer, problem)[0], developer.folder, npm_environment, TIMEOUT_S)
    developer.push()
    assert developer.get().text == "built"


def test_who_wants_what_no_lock_file_can_have_is_found_by_the_hint_s_command(
    new_app: NewApp, npm_environment: dict[str, str]
) -> None:
    developer = new_app()
    write(developer, "#!/bin/sh\necho built > built.txt\n", dependencies={"wants": "file:wants"})
    (developer.folder / "build.sh").chmod(0o755)
    wants = developer.folder / "wants" / "package.json"
    wants.parent.mkdir()
    lacking = {"@smartplatform-tests/was-never-published": "1.0.0"}
    lock(wants, developer.folder, npm_environment, optionalDependencies=lacking)
    developer.commit("A dependency that wants more than there is")
    (command, *_) = hint(developer, "wants @smartplatform-tests/was-never-published")
    told = command.partition(": ")[2]
    assert "wants 1.0.0" in npm_commands.run(told, developer.folder, npm_environment, TIMEOUT_S)
    lock(wants, developer.folder, npm_environment)
    developer.commit("A release of it that does without")
    developer.push()
    assert developer.get().text == "built"


def lock(wants: Path, folder: Path, environment: dict[str, str], **more: object) -> None:
    wants.write_text(json.dumps({"name": "wants", "version": "1.0.0", **more}))
    npm_commands.run("npm install --package-lock-only", folder, environment, TIMEOUT_S)
