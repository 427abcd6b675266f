"""Builds with the Node.js and the npm that an app asks for, from the registry."""

import asyncio
import json
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
SERVER = """
const npm = require('fs').readFileSync('built');
const server = require('http').createServer((_, to) => to.end(`${process.version} ${npm}`));
server.listen(process.env.PORT);
"""


def write(app: App, **package: object) -> None:
    scripts = {"build": "npm --version > built", "postinstall": "true"}
    app.repository.write("package.json", json.dumps({"scripts": scripts, **package}))
    app.repository.write("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": {}}))
    app.repository.write(".npmrc", "engine-strict=true\n")
    app.repository.write("server.js", SERVER)


@pytest.mark.parametrize("asked", ["16.x", "20.11.1"])
def test_an_old_nodejs_is_fetched_and_serves(
    running_node: RunningNode, folder: Path, asked: str
) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        write(app, engines={"node": asked})
        await app.build()
        assert (await app.get()).startswith(f"v{asked.removesuffix('x')}")
        await app.build()
        assert "Fetching" not in app.output

    asyncio.run(story())


def test_the_npm_that_is_asked_for_builds_until_it_is_asked_for_no_more(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        write(app, engines={"npm": "10.x"})
        await app.build()
        assert "npm 10." in app.output
        first = (await app.get()).split()[1]
        assert first.startswith("10.")

        await app.build()
        assert "Fetching npm" not in app.output
        assert (await app.get()).split()[1] == first

        write(app, packageManager="npm@10.2.4")
        await app.build()
        assert (await app.get()).split()[1] == "10.2.4"

        write(app)
        await app.build()
        assert not (await app.get()).split()[1].startswith("10.")

    asyncio.run(story())


def test_an_npm_with_another_checksum_is_refused(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        write(app, packageManager="npm@10.2.4+sha512.00")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "package_manager_checksum"

        write(app, packageManager="npm@10.2.4")
        await app.build()
        assert (await app.get()).split()[1] == "10.2.4"

        # Though that version is in place by now.
        write(app, packageManager="npm@10.2.4+sha512.00")
        with pytest.raises(BuildFailed):
            await app.build()

    asyncio.run(story())
