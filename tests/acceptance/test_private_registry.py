"""Dependencies from a registry that wants a token, which is a config var of the app's own."""

import json
import os
import re
import shlex
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas.store.sql import backups
from tests import npm_commands
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, read_until, remote_lines
from tests.acceptance.installation import Finished, Installation
from tests.private_registry import NAME, TOKEN, VERSION, PrivateRegistry, private_registry

GENERATE_TIMEOUT_S = 300
WAIT_S = 120
SERVER = f"""
const text = require('{NAME}');
require('http').createServer((_, to) => to.end(text)).listen(process.env.PORT);
"""
NPMRC = """@acme:registry={address}
{server}:_authToken=${{NPM_TOKEN}}
"""
YARNRC = """unsafeHttpWhitelist: ["{host}"]
nodeLinker: node-modules
npmScopes:
  acme:
    npmRegistryServer: "{address}"
    npmAuthToken: "${{NPM_TOKEN:-}}"
"""


@dataclass(frozen=True)
class Manager:
    """How an app of it gets its lock file, and where it reads the token from."""

    install: str
    lock_file: str
    settings_file: str = ".npmrc"
    settings: str = NPMRC


def _pnpm(version: str) -> str:
    """It expands no variables in an app's file, unless that is said to be the developer's own."""
    own = "NPM_CONFIG_USERCONFIG=.npmrc PNPM_CONFIG_NPMRC_AUTH_FILE=.npmrc"
    typed = f"npm pkg set packageManager=pnpm@$(pnpm -v) && {own} pnpm install --lockfile-only"
    return f"npx --yes --package pnpm@{version} -c '{typed}'"


NPM = Manager("npm install --package-lock-only", "package-lock.json")
MANAGERS = {
    "npm": NPM,
    "pnpm": Manager(_pnpm("10"), "pnpm-lock.yaml"),
    "pnpm-11": Manager(_pnpm("11"), "pnpm-lock.yaml"),
    "pnpm-10.20": Manager(_pnpm("10.20.0"), "pnpm-lock.yaml"),
    "yarn": Manager("npx --yes yarn@1 install", "yarn.lock"),
    "berry": Manager(
        "YARN_ENABLE_IMMUTABLE_INSTALLS=false YARN_ENABLE_TELEMETRY=false touch yarn.lock && "
        "npx --yes --package @yarnpkg/cli-dist@4 yarn install",
        "yarn.lock",
        ".yarnrc.yml",
        YARNRC,
    ),
    "bun": Manager("npx --yes bun@1.4.5 install --lockfile-only", "bun.lock"),
}


@pytest.fixture
def registry() -> Iterator[PrivateRegistry]:
    with private_registry() as found:
        yield found


@pytest.fixture(scope="module")
def npm_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    own = npm_commands.environment(tmp_path_factory.mktemp("npm") / "bin")
    return {**own, "NPM_TOKEN": TOKEN, "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"}


def write(
    developer: Developer,
    registry: PrivateRegistry,
    environment: dict[str, str],
    manager: Manager = NPM,
    **scripts: str,
) -> None:
    """An app that its developer can install, having the token."""
    for path in developer.folder.iterdir():
        if path.is_file():
            path.unlink()
    package = {
        "name": "app",
        "version": "1.0.0",
        "private": True,
        "scripts": {"start": "node server.js", **scripts},
        "dependencies": {NAME: VERSION},
    }
    settings = manager.settings.format(
        address=registry.address, server=registry.server, host=registry.host
    )
    (developer.folder / manager.settings_file).write_text(settings)
    (developer.folder / ".gitignore").write_text("node_modules\n.yarn\n")
    (developer.folder / "package.json").write_text(json.dumps(package))
    (developer.folder / "server.js").write_text(SERVER)
    npm_commands.run(manager.install, developer.folder, environment, GENERATE_TIMEOUT_S)
    assert (developer.folder / manager.lock_file).exists()
    developer.commit("An app")


def refusal(pushed: Finished) -> str:
    """What the platform says of a push that it refused."""
    assert pushed.status == 1, pushed.text
    return "\n".join(line for line in remote_lines(pushed) if line.startswith(" !     "))


def follow(developer: Developer, said: str, value: str = TOKEN) -> None:
    found = re.search(r"paas (config:set .*)$", said, re.M)
    assert found, said
    developer.paas(*shlex.split(found[1].replace("<value>", value)))


@pytest.mark.parametrize("name", MANAGERS)
def test_a_token_that_is_missing_is_named_and_once_it_is_set_the_push_is_live(
    new_app: NewApp, registry: PrivateRegistry, npm_environment: dict[str, str], name: str
) -> None:
    manager = MANAGERS[name]
    developer = new_app(prefix=name.replace(".", "-"))
    write(developer, registry, npm_environment, manager)
    said = refusal(developer.push(check=False))
    assert "takes" in said and "NPM_TOKEN" in said and "not set" in said
    follow(developer, said)
    developer.push()
    assert developer.get().text == "a private greeting"


def test_a_registry_that_says_there_is_no_such_package_is_understood_too(
    new_app: NewApp, registry: PrivateRegistry, npm_environment: dict[str, str]
) -> None:
    registry.refusal = 404
    developer = new_app()
    write(developer, registry, npm_environment)
    follow(developer, refusal(developer.push(check=False)))
    developer.push()
    assert developer.get().text == "a private greeting"


def test_an_app_without_a_word_of_the_token_is_told_step_by_step(
    new_app: NewApp, registry: PrivateRegistry, npm_environment: dict[str, str]
) -> None:
    developer = new_app()
    write(developer, registry, npm_environment)
    settings = developer.folder / ".npmrc"
    settings.write_text(settings.read_text().splitlines()[0] + "\n")
    developer.commit("Without the token")
    said = refusal(developer.push(check=False))
    line = re.search(r"//<registry>/\S+", said)
    assert line, said
    named = line[0].rstrip(",").replace("//<registry>/", registry.server)
    settings.write_text(f"{settings.read_text()}{named}\n")
    developer.commit("Name the token")
    follow(developer, refusal(developer.push(check=False)), "an-old-token")
    said = refusal(developer.push(check=False))
    assert "for what is in NPM_TOKEN" in said
    follow(developer, said)
    developer.push()
    assert developer.get().text == "a private greeting"


SEARCH = f"""
const fs = require('fs');
const token = '{TOKEN[::-1]}'.split('').reverse().join('');
const found = [];
const look = (path) => {{
  try {{
    const kind = fs.lstatSync(path);
    if (kind.isDirectory()) for (const name of fs.readdirSync(path)) look(`${{path}}/${{name}}`);
    else if (kind.isFile() && fs.readFileSync(path).includes(token)) found.push(path);
  }} catch {{}}
}};
for (const root of ['/app', '/tmp', '/var', '/run', '/home', '/etc', '/opt']) look(root);
for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)))
  for (const name of ['cmdline', 'environ']) look(`/proc/${{pid}}/${{name}}`);
console.log(`looked everywhere and found: ${{found.join(' ') || 'nothing'}}`);
"""


def test_the_token_is_seen_by_its_own_build_only(
    platform: Installation,
    new_app: NewApp,
    registry: PrivateRegistry,
    npm_environment: dict[str, str],
) -> None:
    owner, other = new_app(prefix="owner"), new_app(prefix="other")
    write(owner, registry, npm_environment)
    owner.paas("config:set", f"NPM_TOKEN={TOKEN}")
    (other.folder / "search.js").write_text(SEARCH)
    other.commit("Search")
    package = json.loads((other.folder / "package.json").read_text())
    package["scripts"]["build"] = "node search.js"
    (other.folder / "package.json").write_text(json.dumps(package))
    other.commit("Search at every build")
    asked, enough = threading.Event(), threading.Event()

    def hold() -> None:
        """The owner's build, in which npm has the token, waits while others look for it."""
        asked.set()
        assert enough.wait(WAIT_S)

    registry.on_archive = hold
    pushing = owner.begin("push", "paas", "HEAD:main")
    try:
        read_until(pushing, "Installing dependencies")
        assert asked.wait(WAIT_S)
        seen_on_the_host()
        assert "looked everywhere and found: nothing" in other.push().err
    finally:
        enough.set()
        said = pushing.communicate(timeout=WAIT_S)[1]
    assert pushing.returncode == 0, said
    assert owner.get().text == "a private greeting"
    assert TOKEN not in said
    assert TOKEN not in owner.paas("logs", "--num", "1000").out
    kept_where_it_belongs(platform)

    write(other, registry, npm_environment)
    before = registry.archives
    refusal(other.push(check=False))
    assert registry.archives == before, "nobody has it by way of another's build"


def seen_on_the_host() -> None:
    """In no command line, and in the environment of the zone's own processes only."""
    holders = set()
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            assert TOKEN.encode() not in (folder / "cmdline").read_bytes(), folder
            if TOKEN.encode() in (folder / "environ").read_bytes():
                holders.add(folder.stat().st_uid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    assert holders and min(holders) >= 100_000, holders


def kept_where_it_belongs(platform: Installation) -> None:
    """With the config vars and the instances that have them: not in images, logs, repositories.

    A day's backup of the database is made while control runs, and is the database once more.
    """
    settings, pool = platform.settings, platform.settings.pool_file
    assert not stat.S_IMODE(pool.stat().st_mode) & 0o077
    done = subprocess.run(
        # The pool is looked at as it is mounted: its file has what was deleted, too.
        ["grep", "-rl", "-a", "-D", "skip", f"--exclude={pool.name}", TOKEN, settings.state],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert found, "it is a config var"
    instances = {row[0] for row in platform.query("select machine_uuid from instances")}
    database = settings.control_state / "platform.db"
    for path in found:
        is_backup = path.parent == backups.folder(database)
        is_database = is_backup or str(path).startswith(str(database))
        assert is_database or any(uuid in str(path) for uuid in instances), path
        parents = [path, *path.parents[: path.parents.index(settings.state)]]
        modes = [stat.S_IMODE(item.stat().st_mode) for item in parents]
        assert any(not mode & 0o007 for mode in modes), (path, modes)
