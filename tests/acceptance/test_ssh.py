"""git over SSH on the real platform: keys by `paas keys` and by the `heroku` command."""

import dataclasses
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.settings import CONTROL_USER
from tests.acceptance.conftest import BOOT_TIMEOUT_S, make_installation
from tests.acceptance.developer import Developer, remote_lines
from tests.acceptance.installation import Installation
from tests.acceptance.test_heroku_command import (  # noqa: F401
    Heroku,
    environment,
    heroku,
    program,
)
from tests.ports import free_ports

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    [port] = free_ports(1)
    home = tmp_path_factory.mktemp("home")
    found = make_installation(home, PAAS_BOOT_TIMEOUT_S=BOOT_TIMEOUT_S, PAAS_SSH_PORT=str(port))
    found = dataclasses.replace(found, settings=dataclasses.replace(found.settings, ssh_port=port))
    try:
        found.up()
        yield found
    finally:
        removed = found.uninstall()
        left = found.leftovers()
    assert removed.status == 0, removed.text
    assert left == []


@pytest.fixture
def developer(platform: Installation, app: Developer) -> Developer:
    """With a key of their own, and no token at hand."""
    key = platform.home / f"id-{app.app}"
    words = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-C", app.app, "-f", str(key)]
    subprocess.run(words, check=True, timeout=TIMEOUT_S)
    known = platform.home / "known_hosts"
    options = f"-o IdentitiesOnly=yes -o UserKnownHostsFile={known} -o BatchMode=yes"
    ssh = f"ssh -F none -i {key} {options} -o StrictHostKeyChecking=accept-new"
    app.git("config", "core.sshCommand", ssh)
    app.git("config", "--unset-all", "credential.helper", check=False)
    return app


def public(platform: Installation, app: Developer) -> Path:
    return platform.home / f"id-{app.app}.pub"


def test_a_key_pushes_until_it_is_removed(platform: Installation, developer: Developer) -> None:
    developer.paas("git:remote", "--ssh")
    address = developer.git("remote", "get-url", "paas").out.strip()
    assert address == f"ssh://git@localhost:{platform.settings.ssh_port}/{developer.app}.git"
    stranger = developer.push(check=False)
    assert stranger.status != 0
    assert "Permission denied (publickey)" in stranger.err

    platform.paas("keys:add", str(public(platform, developer)))
    again = platform.paas("keys:add", str(public(platform, developer)), check=False)
    assert again.status != 0
    assert "This key is here already" in again.err
    developer.version("two")
    developer.commit()
    pushed = developer.push()
    assert any("Released v" in line for line in remote_lines(pushed)), pushed.err
    assert developer.get().text == "two"
    [listed] = [
        one for one in json.loads(platform.paas("keys", "--json").out)
        if one["comment"] == developer.app
    ]  # fmt: skip
    assert listed["last_used_at"]
    clone = platform.home / f"clone-{developer.app}"
    developer.git("-c", f"core.sshCommand={ssh_command(developer)}", "clone", address, str(clone))
    assert (clone / "package.json").exists()

    platform.paas("keys:remove", developer.app)
    assert "Permission denied" in developer.push(check=False).err


def ssh_command(app: Developer) -> str:
    return app.git("config", "core.sshCommand").out.strip()


def test_a_key_that_may_only_read_is_refused_with_a_way_out(
    platform: Installation, developer: Developer
) -> None:
    developer.paas("git:remote", "--ssh")
    key = str(public(platform, developer))
    platform.paas("keys:add", key, "--scope", "read")
    assert developer.git("ls-remote", "paas", "main").out
    developer.version("three")
    developer.commit()
    refused = developer.push(check=False)
    assert "this one has read" in refused.err
    # The hint, followed: the key is brought once more with the scope that it names.
    assert "paas keys:add --scope write-protected" in refused.err
    platform.paas("keys:remove", developer.app)
    platform.paas("keys:add", "--scope", "write-protected", key)
    developer.push()
    assert developer.get().text == "three"
    platform.paas("keys:remove", developer.app)


def test_an_unknown_app_is_told_as_over_http(platform: Installation, developer: Developer) -> None:
    platform.paas("keys:add", str(public(platform, developer)))
    url = f"ssh://git@localhost:{platform.settings.ssh_port}/{developer.app}x.git"
    refused = developer.push(url, "HEAD:main", check=False)
    assert f"Did you mean {developer.app}?" in refused.err
    platform.paas("keys:remove", developer.app)


def test_the_heroku_command_brings_and_removes_keys(
    platform: Installation,
    developer: Developer,
    heroku: Heroku,  # noqa: F811
) -> None:
    heroku("keys:add", str(public(platform, developer)), "--yes")
    assert developer.app in heroku("keys").out
    developer.paas("git:remote", "--ssh")
    developer.push()
    heroku("keys:remove", developer.app)
    assert "Permission denied" in developer.push(check=False).err


def test_the_server_keeps_its_own_key_when_control_is_started_again(
    platform: Installation, developer: Developer
) -> None:
    platform.paas("keys:add", str(public(platform, developer)))
    developer.paas("git:remote", "--ssh")
    developer.git("ls-remote", "paas")
    before = platform.settings.ssh_host_key.read_bytes()
    platform.kill("paas.control")
    # What connects meanwhile waits: the socket is the supervisor's.
    developer.git("ls-remote", "paas")
    assert platform.settings.ssh_host_key.read_bytes() == before
    assert platform.settings.ssh_host_key.stat().st_mode & 0o777 == 0o600
    assert platform.settings.ssh_host_key.owner() == CONTROL_USER
    platform.paas("keys:remove", developer.app)
