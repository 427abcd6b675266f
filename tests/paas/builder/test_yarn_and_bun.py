"""Apps of Yarn (classic, Berry with node_modules, Plug'n'Play, zero-installs) and of Bun: each is
pushed twice, as its own tools leave it."""

import asyncio
import json
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.managers import GENERATES, ManagedApp
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
SKIPPED = "Installing dependencies: skipped, {} has not changed"
BERRY_3, BERRY_4 = "@yarnpkg/cli-dist@3.8.7", "@yarnpkg/cli-dist@4.9.2"
BERRY_NOW = "@yarnpkg/cli-dist@4.18.1"


def an_app(node: RunningNode, folder: Path, manager: str, settings: str = "") -> ManagedApp:
    app = ManagedApp(node, folder, manager)
    app.package(
        "require('ms')(60000) + require('fs').readFileSync('built', 'utf8').trim()",
        scripts={
            "build": f"{app.called} run inner",
            "inner": "semver 1.2.3 > built",
        },
        dependencies={"ms": "2.1.3", "debug": "4.4.0"},
        devDependencies={"semver": "7.6.0"},
    )
    if settings:
        app.repository.write(".yarnrc.yml", settings)
        app.repository.write("yarn.lock", "")
    ignored = "node_modules\n.pnp.*\n.yarn/install-state.gz\n.yarn/unplugged\n"
    app.repository.write(
        ".gitignore", ignored + (".yarn/cache\n" if "# zero" not in settings else "")
    )
    app.tell("install")
    return app


@pytest.mark.parametrize(
    ("manager", "settings", "lock"),
    [
        ("yarn@1.22.22", "", "yarn.lock"),
        (BERRY_3, "nodeLinker: node-modules\n", "yarn.lock"),
        (BERRY_4, "nodeLinker: node-modules\n", "yarn.lock"),
        (BERRY_NOW, "nodeLinker: pnpm\n", "yarn.lock"),
        (BERRY_3, "nodeLinker: pnp\n", "yarn.lock"),
        (BERRY_NOW, "nodeLinker: pnp\n", "yarn.lock"),
        (BERRY_4, "enableGlobalCache: false # zero\n", "yarn.lock"),
        (BERRY_4, "enableGlobalCache: false # zero\nnodeLinker: node-modules\n", "yarn.lock"),
        ("bun@1.4.5", "", "bun.lock"),
        ("bun@1.1.45", "", "bun.lockb"),
    ],
)
def test_it_installs_what_its_lock_file_says_once(
    running_node: RunningNode, folder: Path, manager: str, settings: str, lock: str
) -> None:
    async def story() -> None:
        app = an_app(running_node, folder, manager, settings)
        built = await app.build()
        assert built.commands["web"]["argv"] == ["node", "server.js"]
        assert await app.get() == "1m1.2.3"
        names = await app.files("/app/node_modules")
        plays = "node_modules" not in settings and settings and "pnpm" not in settings
        assert not [name for name in names if name.endswith("/semver") and not plays]
        assert await app.left() == []

        app.repository.replace("server.js", "60000", "120000")
        await app.build()
        assert SKIPPED.format(lock) in app.output
        assert "Fetching" not in app.output
        assert await app.get() == "2m1.2.3"

    asyncio.run(story())


EACH = [
    ("yarn@1.22.22", "", "yarn_lockfile_out_of_sync"),
    (BERRY_NOW, "nodeLinker: node-modules\n", "yarn_lockfile_out_of_sync"),
    ("bun@1.4.5", "", "bun_lockfile_out_of_sync"),
]


@pytest.mark.parametrize(("manager", "settings", "id_"), EACH)
def test_a_lock_file_out_of_step_is_refused_with_the_commands_that_mend_it(
    running_node: RunningNode, folder: Path, manager: str, settings: str, id_: str
) -> None:
    async def story() -> None:
        app = an_app(running_node, folder, manager, settings)
        app.repository.commit()
        app.package("require('bytes')(1024)", dependencies={"bytes": "3.1.2"})
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == id_
        app.follow(raised.value.hint)
        await app.build()
        assert await app.get() == "1KB"

    asyncio.run(story())


@pytest.mark.parametrize(("manager", "settings", "id_"), EACH)
def test_install_scripts_run_again_and_a_workspace_is_prepared_again(
    running_node: RunningNode, folder: Path, manager: str, settings: str, id_: str
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, manager)
        app.package(
            "require('client') + require('lib')",
            private=True,
            workspaces=["packages/*"],
            dependencies={"lib": "1.0.0", "client": "file:./vendor/client.tgz"},
            devDependencies={"semver": "7.6.0"},
            dependenciesMeta={"client": {"built": True}},
            trustedDependencies=["client"],
        )
        app.archive("vendor/client.tgz", GENERATES)
        lib = {
            "name": "lib",
            "version": "1.0.0",
            "main": "dist.js",
            "dependencies": {"ms": "2.1.3"},
        }
        lib["scripts"] = {"postinstall": "cp source.js dist.js"}
        app.repository.write("packages/lib/package.json", json.dumps(lib))
        app.repository.write("packages/lib/source.js", "module.exports = require('ms')(1000)")
        app.repository.write(".gitignore", "node_modules\n.yarn\ndist.js\n")
        app.repository.write("schema.txt", "first")
        if settings:
            app.repository.write(".yarnrc.yml", settings)
            app.repository.write("yarn.lock", "")
        app.tell("install")
        await app.build()
        assert await app.get() == "first1s"
        assert not [n for n in await app.files("/app/node_modules") if n.endswith("/semver")]

        app.repository.write("schema.txt", "second")
        app.repository.write("packages/lib/source.js", "module.exports = require('ms')(60000)")
        await app.build()
        assert "Running install scripts again: client, ./packages/lib\n" in app.output
        assert await app.get() == "second1m"

    asyncio.run(story())


def test_scripts_that_are_not_run_are_named_with_the_way_to_allow_them(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, BERRY_NOW)
        app.package("require('client')", dependencies={"client": "file:./vendor/client.tgz"})
        app.archive("vendor/client.tgz", GENERATES)
        app.repository.write("schema.txt", "first")
        app.repository.write(".gitignore", "node_modules\n.yarn\n")
        app.repository.write(".yarnrc.yml", "nodeLinker: node-modules\n")
        app.repository.write("yarn.lock", "")
        app.tell("install")
        await app.build()
        assert "Note: Yarn did not run the install scripts of client\n" in app.output
        app.follow(app.output.split("If the app needs them: ")[1])
        await app.build()
        assert "Note: Yarn did not run" not in app.output
        assert await app.get() == "first"

    asyncio.run(story())
