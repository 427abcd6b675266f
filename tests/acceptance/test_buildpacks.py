"""Other people's buildpacks in the whole product: app.json or the command names them."""

import json
import re
import shlex
from typing import Any

import httpx

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, read_until, remote_lines
from tests.acceptance.installation import Installation

COMPILE = """#!/usr/bin/env bash
echo "       builds $(( $(cat "$2/count" 2>/dev/null || echo 0) + 1 ))" | tee /dev/stderr >/dev/null
echo $(( $(cat "$2/count" 2>/dev/null || echo 0) + 1 )) > "$2/count"
mkdir -p "$1/.profile.d"
echo "export WORD=$(cat "$3/WORD" 2>/dev/null || echo none)-at-start" > "$1/.profile.d/word.sh"
"""
SERVER = """
const { createServer } = require('http');
createServer((_, to) => to.end(String(process.env.WORD))).listen(process.env.PORT);
"""


def write(developer: Developer, folder: str, detects: str = "exit 0") -> None:
    where = developer.folder / folder / "bin"
    where.mkdir(parents=True, exist_ok=True)
    (where / "detect").write_text(f"#!/bin/sh\necho Words\n{detects}\n")
    (where / "compile").write_text(COMPILE)
    for path in where.iterdir():
        path.chmod(0o755)


def pushed(developer: Developer, *options: str, status: int = 0) -> str:
    developer.commit()
    words = [word for option in options for word in ("-o", option)]
    done = developer.push(*words, "paas", "HEAD:main", check=False)
    assert done.status == status, done.text
    return "\n".join(remote_lines(done))


def follow(developer: Developer, said: str) -> None:
    """Every command of a hint."""
    found = re.findall(r"paas (buildpacks:\w+[^&\n]*)", said)
    assert found, said
    for words in found:
        developer.installation.paas(*shlex.split(words))


def declare(developer: Developer, *buildpacks: str, **fields: Any) -> None:
    listed = [{"url": name} for name in buildpacks]
    developer.write(app__json=json.dumps({"buildpacks": listed, **fields}))


def test_app_json_names_the_buildpacks_of_the_first_deploy(new_app: NewApp) -> None:
    developer = new_app()
    developer.write(server__js=SERVER)
    write(developer, "tools/words", detects="exit 1")
    declare(developer, "./tools/words", "heroku-community/apt")
    refused = pushed(developer, status=1)
    assert "heroku-community/apt is a name of Heroku's registry" in refused
    assert "Give its URL: its repository, as a rule https://github.com/" in refused

    declare(developer, "./tools/words", "heroku/nodejs", env={"WORD": "hello"})
    refused = pushed(developer, status=1)
    assert "App not compatible with buildpack: ./tools/words" in refused
    write(developer, "tools/words")
    said = pushed(developer)
    assert "1. ./tools/words\n       2. heroku/nodejs\n" in said
    assert "Words app detected" in said and "Node.js app detected" in said
    assert developer.get().text == "hello-at-start"
    assert "1. ./tools/words\n2. heroku/nodejs" in developer.paas("buildpacks").out

    # What the file says later is only said, with the commands that do it.
    declare(developer, "heroku/nodejs")
    said = pushed(developer)
    assert "2\n" in said.partition("builds ")[2]
    assert "taken from it at an app's first deploy only" in said
    follow(developer, said)
    assert "heroku/nodejs" in developer.paas("buildpacks").out
    assert "tools/words" not in pushed(developer)
    assert developer.get().text == "hello"


def test_another_language_is_built_by_the_buildpack_that_is_named(new_app: NewApp) -> None:
    developer = new_app()
    for path in developer.folder.glob("*.js*"):
        path.unlink()
    developer.write(requirements__txt="")
    assert "paas buildpacks:set https://… (or ./folder)" in pushed(developer, status=1)
    write(developer, "words")
    compile_ = developer.folder / "words" / "bin" / "compile"
    compile_.write_text(f'#!/bin/sh\ncat > "$1/server.js" <<"END"\n{SERVER}\nEND\n')
    release = compile_.with_name("release")
    release.write_text("#!/bin/sh\necho 'default_process_types: {web: node server.js}'\n")
    release.chmod(0o755)
    developer.paas("buildpacks:set", "./words")
    pushed(developer)
    assert developer.get().text == "undefined"
    assert "=== web (standard-512m, Words): node server.js (1)" in developer.paas("ps").out


def test_a_file_of_dokkus_names_them_too(new_app: NewApp) -> None:
    developer = new_app()
    developer.write(server__js=SERVER, __buildpacks="# in turn\n./words\nheroku/nodejs\n")
    write(developer, "words")
    said = pushed(developer)
    assert "Buildpacks of .buildpacks: ./words, heroku/nodejs" in said and "builds 1" in said
    assert "first deploy only" not in pushed(developer)
    developer.write(__buildpacks="heroku/nodejs\n")
    said = pushed(developer)
    assert ".buildpacks names buildpacks that the app has not" in said
    follow(developer, said)
    assert "buildpacks" not in pushed(developer)


def test_a_buildpack_after_ours_its_cache_and_the_option_no_cache(new_app: NewApp) -> None:
    developer = new_app()
    developer.write(server__js=SERVER)
    write(developer, "words")
    developer.paas("buildpacks:add", "heroku/nodejs")
    developer.paas("buildpacks:add", "./words")
    assert "builds 1" in pushed(developer)
    assert developer.get().text == "none-at-start"
    assert "builds 2" in pushed(developer)
    assert "builds 1" in pushed(developer, "no-cache")
    developer.paas("buildpacks:remove", "./words")
    developer.write(__profile="export WORD=own\n")
    assert "builds" not in pushed(developer)
    assert developer.get().text == "own"
    refused = developer.paas("buildpacks:add", "heroku/ruby", check=False)
    assert refused.status == 1
    assert "Give its URL: https://github.com/heroku/heroku-buildpack-ruby" in refused.err
    listed = developer.paas("buildpacks").out
    assert "heroku/nodejs" in listed and "ruby" not in listed


def test_a_control_that_is_killed_while_a_buildpack_runs_leaves_nothing(
    platform: Installation, new_app: NewApp
) -> None:
    developer = new_app()
    developer.write(server__js=SERVER)
    write(developer, "words")
    developer.paas("buildpacks:set", "./words")
    developer.write(Procfile="web: node server.js\n")
    assert "builds 1" in pushed(developer)
    compile_ = developer.folder / "words" / "bin" / "compile"
    compile_.write_text(COMPILE + "echo waiting; sleep 300\n")
    developer.commit()
    push = developer.begin("push", "paas", "HEAD:main")
    read_until(push, "waiting")
    platform.kill("paas.control")
    push.communicate(timeout=60)
    assert push.returncode != 0
    platform.settled()
    assert developer.get().text == "none-at-start"
    compile_.write_text(COMPILE)
    # What was not whole is as if it had never been.
    assert "builds 2" in pushed(developer)


def test_who_may_not_read_config_vars_may_not_choose_who_reads_them(
    platform: Installation, new_app: NewApp
) -> None:
    developer = new_app()
    url = f"http://127.0.0.1:{platform.settings.control_port}/apps/{developer.app}"
    body = {"updates": [{"buildpack": "https://ada:secret@example.com/x"}]}
    expected = {"write": 403, "write-protected": 200}
    for scope, status in expected.items():
        token = platform.paas("auth:token", "-s", scope).out.strip()
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
            answer = client.put(f"{url}/buildpack-installations", json=body)
            assert answer.status_code == status, answer.text
            assert client.get(f"{url}/buildpack-installations").status_code == status
    assert "secret" not in developer.paas("buildpacks").out
    assert "secret" not in developer.paas("logs").out
    developer.paas("buildpacks:remove", "-i", "1")
    assert "names no buildpacks" in developer.paas("buildpacks").out
