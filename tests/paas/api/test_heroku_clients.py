"""The unmodified clients that people already have: npm's `heroku`, PyPI's `heroku3`."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paas.certificates.authority import Authority
from tests import heroku_command

pytestmark = pytest.mark.timeout(400)
COMMAND_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def heroku() -> str:
    """The `heroku` command, installed once into the user's cache."""
    return str(heroku_command.installed())


@pytest.fixture
def home() -> Iterator[Path]:
    """The command writes caches and starts updaters in its home, also after it has ended."""
    folder = Path(tempfile.mkdtemp(prefix="paas-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Heroku:
    """`await heroku("ps", "-a", "hello")` → what it printed; it must succeed."""

    def __init__(self, command: str, url: str, token: str, home: Path) -> None:
        self.command = command
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HEROKU_HOST": url,
            "HEROKU_API_KEY": token,
            # Hosts of Heroku's own, which a test must not ask.
            "HEROKU_PARTICLEBOARD_URL": url,
            "DISABLE_TELEMETRY": "true",
            "HEROKU_SKIP_NEW_VERSION_CHECK": "true",
        }

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            self.command,
            *arguments,
            cwd=self.home,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT_S)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        text = re.sub(r"\x1b\[[0-9;]*m", "", out.decode())
        assert process.returncode == code, text
        return text


def test_the_heroku_command_reads_and_changes_an_app(run: Any, heroku: str, home: Path) -> None:
    """tests/acceptance drives it through the life of an app; here are the finer words."""

    async def story(api: Any) -> None:
        await api.deployed()
        async with api.serving() as url:
            cli = Heroku(heroku, url, await api.token(), home)
            assert "owner@localhost" in await cli("whoami")
            assert "web (standard-512m): node server.js (1)" in await cli("ps", "-a", "hello")
            scaled = await cli("ps:scale", "web=2", "worker+1:Standard-2X", "-a", "hello")
            assert "web at 2:standard-512m, worker at 1:standard-1g" in scaled
            assert "done, v3" in await cli("config:set", "A=1", "-a", "hello")
            assert "A: 1" in await cli("config", "-a", "hello")
            assert "to v2... done, v4" in await cli("rollback", "-a", "hello")
            added = await cli("domains:add", "www.example.com", "-a", "hello")
            assert "hello.localhost" in added
            assert "done" in await cli("ps:restart", "-d", "web.1", "-a", "hello")
            assert "done" in await cli("ps:stop", "-p", "worker", "-a", "hello")
            assert "Did you mean hello?" in await cli("info", "-a", "helo", code=2)
        assert api.platform.calls == [
            ("restart", "hello", None, "web.1"),
            ("stop", "hello", "worker", None),
        ]

    run(story)


def test_the_heroku_command_brings_certificates(
    run: Any, heroku: str, home: Path, tmp_path: Path
) -> None:
    issued = Authority.open(tmp_path / "root.pem", "test").issue(["*.example.com"])
    (home / "crt").write_text(issued.chain)
    (home / "key").write_text(issued.key)

    async def story(api: Any) -> None:
        await api.deployed()
        async with api.serving() as url:
            cli = Heroku(heroku, url, await api.token(), home)
            assert "*.example.com" in await cli("certs:add", "crt", "key", "-a", "hello")
            [made] = (await api.owner.get("/apps/hello/sni-endpoints")).json()
            body = {"hostname": "www.example.com"}
            await api.owner.post("/apps/hello/domains", json=body)
            chosen = ("--cert", made["name"], "-a", "hello")
            await cli("domains:update", "www.example.com", *chosen)
            await cli("certs:update", "crt", "key", "--confirm", "hello", "-a", "hello")
            assert "www.example.com" in await cli("certs:info", "--show-domains", "-a", "hello")
            await cli("certs:remove", "--confirm", "hello", "-a", "hello")
            assert (await api.owner.get("/apps/hello/sni-endpoints")).json() == []

    run(story)


def test_the_heroku_command_makes_tokens(run: Any, heroku: str, home: Path) -> None:
    async def story(api: Any) -> None:
        async with api.serving() as url:
            cli = Heroku(heroku, url, await api.token(), home)
            options = ("-d", "ci", "-s", "read,metrics", "-e", "60")
            made = await cli("authorizations:create", *options)
            assert "read,metrics" in made
            id = next(line for line in made.splitlines() if line.startswith("ID:")).split()[1]
            assert "newer" in await cli("authorizations:update", id, "-d", "newer")
            assert "Token:" in await cli("authorizations:rotate", id)
            await cli("authorizations:revoke", id)
            assert id not in (await api.owner.get("/oauth/authorizations")).text

    run(story)


def test_heroku3_works(run: Any) -> None:
    heroku3 = pytest.importorskip("heroku3", reason="heroku3 is not installed")

    def use(url: str, token: str) -> None:
        client = heroku3.api.Heroku()
        client._session.trust_env = False
        client._heroku_url = url
        assert client.authenticate(token)
        app = client.apps()["hello"]
        assert app.web_url == "http://hello.localhost:8080/"
        app.config()["A"] = "1"
        assert app.config().to_dict() == {"A": "1"}
        newest = app.releases(order_by="version", limit=2, sort="desc")
        assert [release.version for release in newest] == [3, 2]
        app.process_formation()["web"].scale(2)
        assert [dyno.name for dyno in app.dynos()] == ["web.1", "web.2"]
        app.add_domain("www.example.com", None)
        names = [domain.hostname for domain in app.domains()]
        assert names == ["hello.localhost", "www.example.com"]
        app.rollback("v2")
        assert app.config().to_dict() == {}
        assert app.get_log(lines=1) == "a line\n"
        assert client.create_app(name="world").name == "world"
        client.apps()["world"].delete()

    async def story(api: Any) -> None:
        await api.deployed()
        api.platform.logs.kept.append("a line")
        async with api.serving() as url:
            await asyncio.to_thread(use, url, await api.token())

    run(story)
