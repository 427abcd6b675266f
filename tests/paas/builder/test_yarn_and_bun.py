"""Apps of Yarn (classic, Berry with node_modules, Plug'n'Play, zero-installs) and of Bun: each is
pushed twice, as its own tools leave it."""

import asyncio
from pathlib import Path

import pytest

from tests.paas.builder.managers import ManagedApp
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
        assert await app.files("/var/tmp") == []

        app.repository.replace("server.js", "60000", "120000")
        await app.build()
        assert SKIPPED.format(lock) in app.output
        assert "Fetching" not in app.output
        assert await app.get() == "2m1.2.3"

    asyncio.run(story())
