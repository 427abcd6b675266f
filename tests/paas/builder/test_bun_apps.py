"""Apps that Bun runs: their runtime is an image that all share, and a second push runs nothing."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.managers import ManagedApp
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
FAST = {"preflight", "image"}
SERVER = """
import ms from "ms";
export default { port: process.env.PORT, fetch: () => new Response(`${%s}`) };
"""


def an_app(
    node: RunningNode, folder: Path, answer: str, bun: str = "1.4.5", **package: Any
) -> ManagedApp:
    app = ManagedApp(node, folder, f"bun@{bun}")
    fields = {"name": "app", "dependencies": {"ms": "2.1.3"}, **package}
    app.repository.write("package.json", json.dumps(fields))
    app.repository.write("index.ts", SERVER % answer)
    app.repository.write(".gitignore", "node_modules\n")
    return app


def places(commands: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return set(commands["web"]["runtimes"])


def test_an_app_without_a_start_script_runs_on_bun_and_its_second_push_runs_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = an_app(running_node, folder, "ms(60000) + Bun.version")
        app.tell("install")
        first = await app.build()
        assert first.commands["web"]["argv"] == ["bun", "index.ts"]
        assert first.commands["web"]["runtime"] == "Bun 1.4.5"
        assert "-----> Bun app detected" in app.output
        assert "package.json has no start script: bun index.ts it is" in app.output
        assert await app.get() == "1m1.4.5"
        assert not [name for name in await app.files("/opt") if name.startswith("/opt/bun/bun")]

        app.repository.replace("index.ts", "60000", "120000")
        second = await app.build()
        assert set(app.ms) == FAST
        assert second.commands == first.commands
        assert await app.get() == "2m1.4.5"

    asyncio.run(story())


def test_the_version_that_is_asked_for_is_fetched_and_stays(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        start = {"start": "bun run index.ts"}
        app = an_app(running_node, folder, "Bun.version", "1.3.13", scripts=start)
        app.repository.write(".bun-version", "1.3.13\n")
        app.tell("install")
        built = await app.build()
        assert "Fetching Bun 1.3.13" in app.output
        assert "Bun 1.3.13 (.bun-version: 1.3.13)" in app.output
        assert await app.get() == "1.3.13"
        assert built.runtime_version == "1.3.13"

        app.repository.write(".bun-version", "9\n")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "bun_version_unavailable"
        assert ".bun-version" in raised.value.message

        app.repository.write(".bun-version", "1.3.13\n")
        newer = ManagedApp(running_node, folder / "newer", "bun@1.4.5")
        newer.repository.write("package.json", (app.repository.work / "package.json").read_text())
        newer.tell("install")
        app.repository.write("bun.lock", (newer.repository.work / "bun.lock").read_text())
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "bun_lockfile_too_new"
        newer.follow("bun --version > .bun-version")
        version = (newer.repository.work / ".bun-version").read_text()
        app.repository.write(".bun-version", version)
        await app.build()
        assert await app.get() == "1.4.5"

    asyncio.run(story())


def test_an_app_of_npm_whose_command_calls_bun_has_it_beside_nodejs(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = an_app(running_node, folder, "Bun.version", dependencies={})
        app.repository.replace("index.ts", 'import ms from "ms";', "")
        app.repository.write("Procfile", "web: bun index.ts\nworker: node -e 0\n")
        built = await app.build()
        assert places(built.commands) == {"node", "bun"}
        assert built.commands["web"]["runtime"].startswith("Bun 1.")
        assert built.commands["worker"]["runtime"].startswith("Node.js ")
        assert (await app.get()).startswith("1.")

    asyncio.run(story())


def test_what_bun_installs_runs_on_nodejs_where_nodejs_is_called(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = an_app(running_node, folder, "1", scripts={"start": "node server.js"})
        app.repository.write(
            "server.js",
            "require('http').createServer((_, to) => to.end(typeof Bun)).listen(process.env.PORT)",
        )
        app.tell("install")
        built = await app.build()
        assert built.commands["web"]["runtime"].startswith("Node.js ")
        assert "-----> Node.js app detected" in app.output
        assert await app.get() == "undefined"

    asyncio.run(story())
