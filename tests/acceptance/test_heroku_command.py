"""The unmodified `heroku` command from npm is a client of the platform."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests import heroku_command
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer
from tests.acceptance.installation import Finished, Installation, run
from tests.acceptance.terminal import terminal

Heroku = Callable[..., Finished]


@pytest.fixture(scope="module")
def program() -> Path:
    """Installed once a host; the tests are skipped where npm can't bring it."""
    return heroku_command.installed()


@pytest.fixture
def environment(platform: Installation) -> dict[str, str]:
    token = platform.paas("auth:token", "--description", "heroku").out.strip()
    root = platform.home / "root.pem"
    root.write_text(platform.paas("certs:root").out)
    return {
        **platform.developer,
        "HEROKU_HOST": f"http://127.0.0.1:{platform.settings.control_port}",
        "HEROKU_API_KEY": token,
        "HEROKU_SKIP_ANALYTICS": "1",
        "HEROKU_SKIP_NEW_VERSION_CHECK": "1",
        "DISABLE_TELEMETRY": "true",
        "HEROKU_DISABLE_TELEMETRY": "true",
        "XDG_CACHE_HOME": str(platform.home / "cache"),
        "NO_COLOR": "1",
        # It reports to its makers; here nobody answers, and it would wait for that.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        # Its attached runs speak TLS, whose authority it has to trust.
        "NODE_EXTRA_CA_CERTS": str(root),
    }


@pytest.fixture
def heroku(platform: Installation, program: Path, environment: dict[str, str]) -> Heroku:
    """`heroku("ps", "-a", "hello")`."""

    def call(*words: str, folder: Path | None = None, check: bool = True) -> Finished:
        done = run(["node", str(program), *words], environment, folder=folder or platform.home)
        assert done.status == 0 or not check, f"heroku {words}: {done.text}\n{platform.log()}"
        return done

    return call


def test_the_life_of_an_app_with_the_heroku_command(heroku: Heroku, app: Developer) -> None:
    name = app.app
    assert name in heroku("apps").out
    assert f"http://{name}.localhost" in heroku("info", "-a", name).out
    heroku("config:set", "GREETING=hello", "-a", name)
    assert heroku("config:get", "GREETING", "-a", name).out.strip() == "hello"
    assert app.get().text == "one hello"
    assert "v2" in heroku("releases", "-a", name).out
    heroku("rollback", "v1", "-a", name)
    assert app.get().text == "one"
    heroku("ps:scale", "web=2", "-a", name)
    listed = heroku("ps", "-a", name).out
    assert "web.1: up" in listed and "web.2: up" in listed
    said = heroku("logs", "-a", name, "--num", "100").out
    assert "version one starts" in said and "status=200" in said


def test_domains_apps_and_their_end_with_the_heroku_command(
    heroku: Heroku, platform: Installation, new_app: NewApp
) -> None:
    developer = new_app()
    developer.push()
    domain = f"www.{developer.app}.example.com"
    heroku("domains:add", domain, "-a", developer.app)
    assert domain in heroku("domains", "-a", developer.app).out
    with httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{platform.settings.router_port}/"
        assert client.get(url, headers={"host": domain}).text == "one"
    unknown = heroku("ps", "-a", "there-is-no-such-app", check=False)
    assert unknown.status != 0 and "find" in unknown.text
    made = f"made-{os.urandom(3).hex()}"
    heroku("create", made, folder=developer.folder)
    assert made in [item["name"] for item in platform.json("apps")]
    heroku("apps:destroy", "-a", made, "--confirm", made)
    assert made not in [item["name"] for item in platform.json("apps")]


def test_buildpacks_with_the_heroku_command(
    heroku: Heroku, platform: Installation, new_app: NewApp
) -> None:
    name = new_app().app
    own, fonts = "https://github.com/heroku/heroku-buildpack-nodejs", "https://example.com/fonts#v1"
    assert "has no Buildpacks" in heroku("buildpacks", "-a", name).out
    assert "heroku/nodejs" in heroku("buildpacks:set", own, "-a", name).out
    added = heroku("buildpacks:add", "-i", "1", fonts, "-a", name).out
    assert f"1. {fonts}\n  2. heroku/nodejs" in added
    # The same list for the one and the other command.
    assert platform.paas("buildpacks", "-a", name).out.endswith(f"1. {fonts}\n2. heroku/nodejs\n")
    refused = heroku("buildpacks:add", "ssh://git@example.com/x", "-a", name, check=False)
    assert refused.status != 0 and "address that does not" in refused.text
    heroku("buildpacks:remove", fonts, "-a", name)
    assert "heroku/nodejs" in heroku("buildpacks", "-a", name).out
    heroku("buildpacks:clear", "-a", name)
    assert "has no Buildpacks" in heroku("buildpacks", "-a", name).out


def test_runs_with_the_heroku_command(
    heroku: Heroku, program: Path, environment: dict[str, str], app: Developer
) -> None:
    """By its rendezvous over TLS: a terminal, keys, size, exit status, no terminal, detached."""
    name, node = app.app, shutil.which("node") or "node"
    with terminal([node, str(program), "run", "bash", "-a", name], environment, app.folder) as user:
        user.until(r"\$ ")
        # One program says it and waits: dash loses a SIGINT between two.
        user.type("stty size; echo a$((1))b > /tmp/mark; cat /tmp/mark -\r")
        assert "41 103" in user.until("a1b")
        user.type("\x03")
        user.until(r"\$ ")
        user.type("exit\r")
        assert user.ends()[0] == 0
    failed = heroku("run", "-x", "-a", name, "--", "sh -c 'exit 5'", check=False)
    assert failed.status == 5
    assert "no terminal" in heroku("run", "--no-tty", "-a", name, "tty || echo no terminal").out
    detached = heroku("run:detached", "-a", name, "echo from $DYNO; sleep 1000")
    run = re.search(r"run\.\d{4}", detached.text)
    assert run, detached.text
    assert f"{run[0]} " in heroku("ps", "-a", name).out
    app.installation.paas("logs", "-a", name)
    heroku("ps:stop", "--dyno-name", run[0], "-a", name)
    assert run[0] not in heroku("ps", "-a", name).out
    inside = heroku("run:inside", "web.1", "hostname", "-a", name)
    assert f"{name}-web-1" in inside.out
    refused = heroku("ps:exec", "-a", name, check=False)
    assert refused.status != 0 and f"paas exec -a {name} web.1" in refused.text


def test_drains_with_the_heroku_command(heroku: Heroku, new_app: NewApp) -> None:
    name = new_app().app
    assert not heroku("drains", "-a", name).out.strip()
    url = "syslog+tls://user.logs.example.com:6514"
    heroku("drains:add", url, "-a", name)
    secret = "https://user:secret@logs.example.com/drain"
    heroku("drains:add", secret, "-a", name)
    listed = heroku("drains", "-a", name).out
    assert f"{url} (d." in listed and "user:****@logs.example.com" in listed
    refused = heroku("drains:add", "https://127.0.0.1/", "-a", name, check=False)
    assert refused.status != 0 and "drain_to_private_addresses = true" in refused.text
    heroku("drains:remove", secret, "-a", name)
    heroku("drains:remove", url, "-a", name)
    assert not heroku("drains", "-a", name).out.strip()


def test_pipelines_with_the_heroku_command(
    heroku: Heroku, platform: Installation, app: Developer, new_app: NewApp
) -> None:
    """An image goes live in the next stage without a build; and goes back."""
    name, target = app.app, new_app().app
    pipeline = f"pipe-{os.urandom(3).hex()}"
    platform.paas("config:set", "GREETING=production", "-a", target)
    heroku("pipelines:create", pipeline, "-a", name, "-s", "staging")
    heroku("pipelines:add", pipeline, "-a", target, "-s", "production")
    assert "has no release yet" in platform.paas("pipelines:diff", "-a", name).out
    assert "Promotion successful" in heroku("pipelines:promote", "-a", name).text
    assert platform.json("builds", "-a", target) == []
    with httpx.Client(trust_env=False) as client:
        url, host = f"http://127.0.0.1:{platform.settings.router_port}/", f"{target}.localhost"
        assert client.get(url, headers={"host": host}).text == "one production"
        app.release("two")
        ahead = platform.paas("pipelines:diff", "-a", name).out
        assert "by 1 commit\n" in ahead and " two\n" in ahead
        promoted = platform.paas("pipelines:promote", "-a", name, "--to", target)
        assert "succeeded" in promoted.out
        assert client.get(url, headers={"host": host}).text == "two production"
        platform.paas("rollback", "-a", target)
        assert client.get(url, headers={"host": host}).text == "one production"
    platform.paas("pipelines:destroy", pipeline)


@pytest.mark.long
def test_every_command_on_pipelines_of_heroku(
    heroku: Heroku, platform: Installation, app: Developer, new_app: NewApp
) -> None:
    name, target = app.app, new_app().app
    pipeline = f"pipe-{os.urandom(3).hex()}"
    heroku("pipelines:create", pipeline, "-a", name, "-s", "staging")
    heroku("pipelines:add", pipeline, "-a", target, "-s", "development")
    heroku("pipelines:update", "-a", target, "-s", "production")
    shown = heroku("pipelines:info", pipeline).out
    assert name in shown and target in shown and "production" in shown
    refused = heroku("pipelines:promote", "-a", name, "-t", name, check=False)
    assert refused.status != 0 and "itself" in refused.text
    heroku("pipelines:rename", pipeline, f"{pipeline}-2")
    assert f"{pipeline}-2" in heroku("pipelines").out
    heroku("pipelines:remove", "-a", target)
    heroku("pipelines:destroy", f"{pipeline}-2")
    assert pipeline not in platform.paas("pipelines").out
