"""Archives instead of pushes: curl as in Heroku's documentation, and what is refused."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import Finished, run


@dataclass(frozen=True)
class Curl:
    """`curl -n`: the token is in a netrc file, as `heroku login` leaves it."""

    app: Developer
    netrc: Path

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.app.installation.settings.control_port}"

    def __call__(self, *words: str) -> Finished:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", *words]
        return run(command, self.app.installation.developer)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        words = ["--netrc-file", str(self.netrc), "-X", "POST", f"{self.api}{path}"]
        words += ["-H", "Accept: application/vnd.heroku+json; version=3"]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        answer: dict[str, Any] = json.loads(self(*words).out)
        return answer

    def upload(self, archive: Path) -> str:
        source = self.post("/sources")["source_blob"]
        words = ["-X", "PUT", "-H", "Content-Type:", "--data-binary", f"@{archive}"]
        done = self(source["put_url"], *words)
        assert done.status == 0, done.text
        return str(source["get_url"])

    def build(self, **source: Any) -> str:
        """What the build prints, from its beginning to its end."""
        build = self.post(f"/apps/{self.app.app}/builds", {"source_blob": source})
        return self(build["output_stream_url"]).out


@pytest.fixture
def curl(new_app: NewApp, tmp_path: Path) -> Curl:
    app = new_app()
    token = app.installation.paas("auth:token", "--scope", "write-protected").out.strip()
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login somebody password {token}\n")
    return Curl(app, netrc)


def packed(folder: Path, archive: Path, *words: str) -> Path:
    subprocess.run(["tar", "czf", str(archive), *words, "-C", str(folder), "."], check=True)
    return archive


def test_an_upload_is_built_and_is_a_release_like_any_other(curl: Curl, tmp_path: Path) -> None:
    archive = packed(PROBE, tmp_path / "app.tgz")
    url = curl.upload(archive)
    sum = hashlib.sha256(archive.read_bytes()).hexdigest()
    said = curl.build(url=url, version="v1.3.0", checksum=f"SHA256:{sum}")
    assert "Released v1" in said
    assert curl.app.get().text == "one"
    assert "Deploy v1.3.0" in curl.app.paas("releases").out
    curl.app.version("two")
    archive = packed(curl.app.folder, archive, "--exclude=.git", "--transform=s,^.,hello-main,")
    said = curl.build(url=curl.upload(archive))
    assert "of hello-main/" in said and "Released v2" in said
    assert curl.app.get().text == "two"
    curl.app.git("fetch", "--quiet", "paas")
    assert curl.app.git("rev-list", "--count", "paas/main").out == "2\n"
    shown = curl.app.git("show", "paas/main:server.js").out
    assert shown == (curl.app.folder / "server.js").read_text()
    curl.app.paas("rollback")
    assert curl.app.get().text == "one"


def test_what_can_not_be_built_says_why_in_the_builds_log(curl: Curl, tmp_path: Path) -> None:
    archive = packed(PROBE, tmp_path / "app.tgz")
    assert "checksum is SHA256:" in curl.build(
        url=curl.upload(archive), checksum="SHA256:" + "0" * 64
    )
    archive.write_bytes(archive.read_bytes()[:-200])
    said = curl.build(url=curl.upload(archive))
    assert "The archive was refused" in said
    advice = said.partition("Pack the app's folder: ")[2].splitlines()[0]
    command = advice.replace("FOLDER", str(PROBE)).replace("app.tgz", str(archive))
    subprocess.run(command.split(), check=True)
    assert "Released v1" in curl.build(url=curl.upload(archive))
    assert "failed" in curl.app.paas("builds").out


def test_addresses_of_private_networks_are_not_asked(curl: Curl) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]"):
        said = curl.build(url=f"https://{host}:{curl.api.rpartition(':')[2]}/app.tgz")
        assert "an address of a private network" in said, host


def test_what_an_address_may_be_is_said_at_once(curl: Curl) -> None:
    for url in ("http://example.com/app.tgz", "tmp/deploy.tar", "file:///etc/passwd", "https://[x"):
        answer = curl.post(f"/apps/{curl.app.app}/builds", {"source_blob": {"url": url}})
        assert "begins with https://" in answer["message"], url


def test_an_address_to_read_can_not_be_written_and_none_holds_for_another(curl: Curl) -> None:
    first, second = (curl.post("/sources")["source_blob"] for _ in range(2))
    written = curl(first["get_url"], "-X", "PUT", "--data-binary", "x")
    assert "not for PUT" in written.out
    id = first["put_url"].partition("/sources/")[2][:36]
    forged = second["put_url"].replace(second["put_url"].partition("/sources/")[2][:36], id)
    assert "not valid" in curl(forged, "-X", "PUT", "--data-binary", "x").out
    nothing = curl.post(f"/apps/{curl.app.app}/builds", {"source_blob": {"url": first["get_url"]}})
    assert "Nothing was uploaded" in nothing["message"]
