"""Apps of pnpm, built by real ones from real lock files."""

import asyncio
import json
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.managers import GENERATES, ManagedApp
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
SKIPPED = "Installing dependencies: skipped, pnpm-lock.yaml has not changed"


@pytest.mark.parametrize(
    "version", ["7.33.7", "8.15.9", "9.15.9", "10.34.8", "11.28.10", "12.21.0"]
)
def test_it_installs_what_its_lock_file_says_once(
    running_node: RunningNode, folder: Path, version: str
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, f"pnpm@{version}")
        app.package(
            "require('ms')(60000) + require('fs').readFileSync('built', 'utf8').trim()",
            scripts={"build": "pnpm run inner", "inner": "semver 1.2.3 > built"},
            dependencies={"ms": "2.1.3", "debug": "4.4.0"},
            devDependencies={"semver": "7.6.0"},
            packageManager=f"pnpm@{version}",
        )
        app.tell("install --lockfile-only")
        built = await app.build()
        assert f"pnpm {version}" in app.output
        assert built.commands["web"]["argv"] == ["node", "server.js"]
        assert await app.get() == "1m1.2.3"
        names = await app.files("/app/node_modules")
        assert not [name for name in names if "semver" in name]
        assert [name for name in names if name.endswith("/debug")]
        assert "Progress" not in app.output
        assert await app.left() == []

        app.repository.replace("server.js", "60000", "120000")
        await app.build()
        assert SKIPPED in app.output
        assert "Fetching" not in app.output
        assert await app.get() == "2m1.2.3"

    asyncio.run(story())


def test_install_scripts_run_again_and_a_workspace_is_prepared_again(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "pnpm@10.34.8")
        app.package(
            "require('client') + require('lib')",
            dependencies={"lib": "workspace:*", "client": "file:vendor/client.tgz"},
            devDependencies={"semver": "7.6.0"},
        )
        app.archive("vendor/client.tgz", GENERATES)
        app.repository.write("pnpm-workspace.yaml", "packages:\n- packages/*\n")
        lib = {
            "name": "lib",
            "version": "1.0.0",
            "main": "dist.js",
            "dependencies": {"ms": "2.1.3"},
        }
        lib["scripts"] = {"prepare": "cp source.js dist.js"}
        app.repository.write("packages/lib/package.json", json.dumps(lib))
        app.repository.write("packages/lib/source.js", "module.exports = require('ms')(1000)")
        app.repository.write("schema.txt", "first")
        app.tell("install && npx --yes pnpm@10.34.8 approve-builds --all")
        await app.build()
        assert "pnpm 10." in app.output
        assert await app.get() == "first1s"
        assert not [n for n in await app.files("/app/node_modules") if "semver" in n]

        app.repository.write("schema.txt", "second")
        app.repository.write("packages/lib/source.js", "module.exports = require('ms')(60000)")
        await app.build()
        assert "Running install scripts again: client, ./packages/lib\n" in app.output
        assert await app.get() == "second1m"

    asyncio.run(story())


def test_scripts_that_pnpm_does_not_run_are_named_with_the_way_to_allow_them(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "pnpm@10.34.8")
        app.package("require('client')", dependencies={"client": "file:vendor/client.tgz"})
        app.archive("vendor/client.tgz", GENERATES)
        app.repository.write("schema.txt", "first")
        app.tell("install --lockfile-only")
        await app.build()
        assert "Note: pnpm did not run the install scripts of client\n" in app.output
        assert "pnpm approve-builds" in app.output
        app.tell("install && npx --yes pnpm@10.34.8 approve-builds --all")
        await app.build()
        assert "Note: pnpm did not run" not in app.output
        assert await app.get() == "first"

    asyncio.run(story())


def test_a_lock_file_out_of_step_is_refused_with_the_commands_that_mend_it(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "pnpm@10.34.8")
        app.package("require('ms')(1000)", dependencies={})
        app.tell("install --lockfile-only")
        app.package("require('ms')(1000)", dependencies={"ms": "2.1.3"})
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "pnpm_lockfile_out_of_sync"
        app.follow(raised.value.hint)
        await app.build()
        assert await app.get() == "1s"

    asyncio.run(story())
