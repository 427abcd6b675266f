"""An app that is deployed from a repository elsewhere: git's own server, and the hosts' status API.

The host's hooks are sent as their makers document them, byte for byte signed by other code.
"""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.conftest import make_installation
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import BIN, Installation, until
from tests.git_over_http import GitHost, on_loopback

TOKEN = "gh0_s3cr3t-0f-the-host"
WAIT_S = 120
REPOSITORY = "owner/hello"
STATES = {"running": "pending", "failed": "failure"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One that asks addresses of this host, as the git host of the tests has."""
    home = tmp_path_factory.mktemp("connected")
    found = make_installation(home, PAAS_FETCH_FROM_PRIVATE_ADDRESSES="true")
    try:
        found.up()
        yield found
    finally:
        found.uninstall()
        left = found.leftovers()
    assert not left, "\n".join(left)


@dataclass
class Connected:
    """An app with its repository at a host; what the host knows of the hook."""

    developer: Developer
    host: GitHost
    kind: str
    url: str = ""
    secret: str = ""

    def commit(self, version: str, **files: str) -> str:
        source = (PROBE / "server.js").read_text()
        source = re.sub(r"const version = '.*';", f"const version = '{version}';", source)
        kept = {path.name: path.read_text() for path in PROBE.iterdir() if path.is_file()}
        return self.host.commit(REPOSITORY, {**kept, "server.js": source, **files})

    def connect(self) -> str:
        words = ["git:connect", f"{self.host.address}/{REPOSITORY}", "--kind", self.kind]
        done = subprocess.run(
            [str(BIN / "paas"), *words, "--token", "-a", self.developer.app],
            env=self.developer.installation.environment,
            input=f"{TOKEN}\n",
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        assert done.returncode == 0, done.stderr
        found = re.search(r"URL +(\S+)\n +Secret +(\S+)\n", done.stdout)
        assert found, done.stdout
        self.url, self.secret = found.groups()
        return done.stdout + done.stderr

    def tell(self, commit: str, ref: str = "refs/heads/main", secret: str = "") -> httpx.Response:
        payload = {"ref": ref, "before": "0" * 40, "after": commit, "commits": [], **_PLACE}
        body = json.dumps(payload).encode()
        headers = _SIGNED[self.kind](secret or self.secret, body)
        return self.ask("POST", urlsplit(self.url).path, content=body, headers=headers)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """At the address of hooks, through the router."""
        address = urlsplit(self.url)
        options["headers"] = {**options.get("headers", {}), "host": address.netloc}
        assert address.hostname == "smartplatform.localhost"
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.request(method, f"http://127.0.0.1:{address.port}{path}", **options)

    def status(self) -> tuple[str, str, str]:
        """The next that the host is told: of which commit, the state and the word on it."""
        path, headers, body = self.host.told.get(timeout=WAIT_S)
        assert TOKEN in "".join(headers.values())
        assert body["target_url"].startswith(f"http://{self.developer.app}.")
        state = STATES.get(body["state"], body["state"])
        return path.rpartition("/")[2], state, body["description"]

    def builds(self) -> int:
        listed = self.developer.installation.json("builds", "-a", self.developer.app)
        return len(listed)


_PLACE = {"repository": {"full_name": REPOSITORY, "private": True}, "pusher": {"name": "ada"}}


def _hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _github(secret: str, body: bytes) -> dict[str, str]:
    return {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={_hex(secret, body)}",
        "Content-Type": "application/json",
    }


def _gitlab(secret: str, body: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"evt.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-Gitlab-Event": "Push Hook",
        "webhook-id": "evt",
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "Content-Type": "application/json",
    }


def _gitea(secret: str, body: bytes) -> dict[str, str]:
    signature = _hex(secret, body)
    return {
        "X-Gitea-Event": "push",
        "X-GitHub-Event": "push",
        "X-Gitea-Signature": signature,
        "Content-Type": "application/json",
    }


_SIGNED: dict[str, Callable[[str, bytes], dict[str, str]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "gitea": _gitea,
}
LOGIN = {"github": "x-access-token", "gitlab": "oauth2", "gitea": "oauth2"}


@pytest.fixture(params=list(_SIGNED))
def connected(
    platform: Installation, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Connected]:
    kind = request.param
    name = f"from-{kind}"
    with on_loopback(tmp_path / "host") as host:
        host.login = f"{LOGIN[kind]}:{TOKEN}"
        platform.paas("create", name)
        developer = Developer(platform, name, tmp_path)
        yield Connected(developer, host, kind)
        platform.paas("destroy", name, "--confirm", name)
        platform.settled()


def test_what_is_pushed_there_is_deployed_here_and_its_commit_gets_a_status(
    connected: Connected,
) -> None:
    developer, host = connected.developer, connected.host
    first = connected.commit("one")
    host.commit(REPOSITORY, {"other.txt": "x"}, branch="other")
    said = connected.connect()
    assert TOKEN not in said and "Nobody outside reaches localhost" in said

    # Nothing else of control is there, whoever asks.
    token = developer.installation.paas("auth:token").out.strip()
    for path in ("/apps", f"/{developer.app}.git/info/refs?service=git-upload-pack", "/hooks"):
        answer = connected.ask("GET", path, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.text) == (404, "Nothing but hooks is here.\n")

    # Only who has the secret is heard, and only of the branch.
    refused = connected.tell(first, secret="whsec_eA==")
    assert refused.status_code == 401 and "not signed" in refused.text
    ignored = connected.tell(first, ref="refs/heads/other")
    assert ignored.status_code == 200 and "deploys nothing" in ignored.text
    assert connected.builds() == 0

    assert connected.tell(first).status_code == 202
    assert connected.status() == (first, "pending", "The build is under way")
    assert connected.status() == (first, "success", "Released v1")
    assert developer.get().text == "one"
    assert developer.git("ls-remote", _remote(developer)).out.startswith(first)

    second = connected.commit("two")
    connected.tell(second)
    assert connected.status()[:2] == (second, "pending")
    assert connected.status() == (second, "success", "Released v2")
    assert developer.get().text == "two"

    # Again, and of what was before: nothing comes of it, also after a rollback.
    developer.paas("rollback", "v1")
    for commit in (second, first, second):
        assert connected.tell(commit).status_code == 202
    until(lambda: _dealt_with(developer), WAIT_S)
    assert connected.builds() == 2 and host.told.empty()
    assert developer.get().text == "one"

    broken = connected.commit("three", **{"package-lock.json": "{"})
    connected.tell(broken)
    assert connected.status()[:2] == (broken, "pending")
    commit, state, word = connected.status()
    assert (commit, state) == (broken, "failure") and "package-lock.json" in word
    assert "failed" in developer.paas("git:connection").out

    # As its word says, and then again without a push.
    log = developer.paas("builds:output").out
    assert f"Fetching main of {host.address}/{REPOSITORY}: {broken[:8]}" in log
    developer.paas("git:deploy")
    assert connected.status()[:2] == (broken, "pending")
    assert connected.status()[:2] == (broken, "failure")

    for words in (("git:connection",), ("git:connection", "--json"), ("logs", "-n", "500")):
        shown = developer.paas(*words).out
        assert TOKEN not in shown and connected.secret not in shown
    developer.paas("git:disconnect")
    assert connected.tell(broken).status_code == 404


@pytest.mark.parametrize("connected", ["github"], indirect=True)
def test_a_push_that_was_told_is_deployed_though_control_was_killed(connected: Connected) -> None:
    developer, host = connected.developer, connected.host
    platform = developer.installation
    commit = connected.commit("one")
    connected.connect()
    host.opens.clear()
    connected.tell(commit)
    assert host.reached.wait(WAIT_S)
    platform.kill("paas.control")
    host.opens.set()
    until(lambda: _states(connected) >= {"pending", "success"}, WAIT_S)
    assert developer.get().text == "one"
    assert not list(platform.settings.sources.iterdir())
    until(lambda: _dealt_with(developer), WAIT_S)
    while not host.told.empty():
        host.told.get()
    developer.paas("git:deploy")
    assert connected.status()[:2] == (commit, "pending")
    assert connected.status() == (commit, "success", "Released v2")


def test_what_can_not_be_connected_is_said_with_what_to_do(
    platform: Installation, tmp_path: Path
) -> None:
    with on_loopback(tmp_path / "host") as host:
        host.commit(REPOSITORY, {"a": "1"}, branch="trunk")
        url = f"{host.address}/{REPOSITORY}"
        platform.paas("create", "unconnected")
        app = ("-a", "unconnected")

        def refused(*words: str) -> str:
            done = platform.paas("git:connect", *words, *app, check=False)
            assert done.status != 0
            return done.err

        assert "--kind github" in refused(url)
        assert "has no branch main" in refused(url, "--kind", "gitea")
        host.login = "oauth2:right"
        assert "not for us without a token" in refused(url, "--kind", "gitea", "--branch", "trunk")
        assert "is not there" in refused(f"{host.address}/no/such", "--kind", "gitea")
        host.login = ""
        platform.paas("git:connect", url, "--kind", "forgejo", "--branch", "trunk", *app)
        platform.paas("destroy", "unconnected", "--confirm", "unconnected")


def _remote(developer: Developer) -> str:
    platform = developer.installation
    token = platform.paas("auth:token", "-s", "read").out.strip()
    return f"http://ci:{token}@127.0.0.1:{platform.settings.control_port}/{developer.app}.git"


def _dealt_with(developer: Developer) -> bool:
    return not developer.installation.query("select 1 from git_connections where rung > seen")


def _states(connected: Connected) -> set[str]:
    return {each[2]["state"] for each in list(connected.host.told.queue)}


def test_the_scope_of_a_push_is_needed(platform: Installation) -> None:
    platform.paas("create", "scoped")
    url = f"http://127.0.0.1:{platform.settings.control_port}/apps/scoped/git-connection"
    body: dict[str, Any] = {"url": "https://github.com/owner"}
    for scope, statuses in {"write": (403, 403), "write-protected": (422, 404)}.items():
        token = platform.paas("auth:token", "-s", scope).out.strip()
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
            found = client.put(url, json=body).status_code, client.delete(url).status_code
            assert found == statuses
    platform.paas("destroy", "scoped", "--confirm", "scoped")
