"""A changed lock file over what is in place gives what an installation from nothing gives."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.paas.builder.managers import GENERATES, ManagedApp
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]
UPDATING = "-----> Updating dependencies\n"

# What each step of an app's life asks for: added, exchanged, nested twice, dev only, gone.
STEPS = (
    {"express": "4.21.0", "ms": "2.1.3"},
    {"express": "4.21.2", "ms": "2.0.0", "semver": "7.6.0"},
    {"express": "4.21.2", "semver": "5.7.2", "debug": "4.4.0"},
    {"ms": "2.1.3", "@isaacs/cliui": "8.0.2"},
)
_DIGESTS = """
find node_modules -type f ! -name .package-lock.json ! -name .modules.yaml ! -name lock.yaml \\
  ! -name '.pnpm-workspace-state*' -print0 | sort -z | xargs -0 sha256sum
find node_modules -type l -printf '%p -> %l\\n' | sort
"""


async def digests(app: ManagedApp) -> list[str]:
    async with app.instance() as machine:
        code, said = await app.node.output(machine, "sh", "-c", _DIGESTS)
        assert code == 0, said
        return said.splitlines()


@pytest.mark.parametrize(
    ("manager", "lock"),
    [
        ("npm@11.21.2", "install --package-lock-only"),
        pytest.param("pnpm@10.34.8", "install --lockfile-only", marks=pytest.mark.long),
    ],
)
def test_what_is_updated_equals_what_is_installed_from_nothing(
    running_node: RunningNode, folder: Path, manager: str, lock: str
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, manager)
        twin = ManagedApp(running_node, folder / "twin", manager)
        twin.repository = app.repository
        for number, dependencies in enumerate(STEPS):
            dev = {"ms": "2.1.2"} if "ms" not in dependencies else {"once": "1.4.0"}
            app.package("1", dependencies=dependencies, devDependencies=dev, packageManager=manager)
            app.tell(lock)
            await app.build()
            assert (UPDATING in app.output) is (number > 0)
            assert "Once more" not in app.output
            assert await app.left() == []
            if number:
                await twin.build(from_nothing=True)
                assert await digests(app) == await digests(twin)

    asyncio.run(story())


def test_a_workspace_that_is_added_is_linked(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "npm@11.21.2")
        fields = {"workspaces": ["packages/*"], "dependencies": {"one": "*"}}
        workspace = {"name": "one", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}
        app.package("require('one')(60000)", **fields)
        app.repository.write("packages/one/package.json", json.dumps(workspace))
        app.repository.write("packages/one/index.js", "module.exports = require('ms')")
        app.tell("install --package-lock-only")
        await app.build()
        assert await app.get() == "1m"

        fields["dependencies"]["two"] = "*"
        two = {"name": "two", "version": "1.0.0", "dependencies": {"ms": "2.0.0"}}
        app.package("require('two')(60000) + require('one')(120000)", **fields)
        app.repository.write("packages/two/package.json", json.dumps(two))
        app.repository.write("packages/two/index.js", "module.exports = require('ms')")
        app.tell("install --package-lock-only")
        await app.build()
        assert UPDATING in app.output
        assert await app.get() == "1m2m"

    asyncio.run(story())


def test_scripts_that_read_the_app_run_again_over_an_update(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "npm@11.21.2")
        app.archive("vendor/client.tgz", GENERATES)
        app.repository.write("schema.txt", "first")
        app.package("require('client')", dependencies={"client": "file:vendor/client.tgz"})
        app.tell("install --package-lock-only --ignore-scripts")
        await app.build()
        assert await app.get() == "first"

        app.repository.write("schema.txt", "second")
        dependencies = {"client": "file:vendor/client.tgz", "ms": "2.1.3"}
        app.package("require('client') + require('ms')(1000)", dependencies=dependencies)
        app.tell("install --package-lock-only --ignore-scripts")
        await app.build()
        assert UPDATING in app.output
        assert await app.get() == "second1s"

        # And once more with nothing to update: the update has found out which scripts there are.
        app.repository.write("schema.txt", "third")
        await app.build()
        assert "-----> Running install scripts again: client\n" in app.output
        assert await app.get() == "third1s"

    asyncio.run(story())


def test_a_lock_file_that_npm_would_write_otherwise_is_installed_from_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "npm@11.21.2")
        app.package("require('ms')(60000)", dependencies={"ms": "2.1.3"})
        app.tell("install --package-lock-only")
        await app.build()

        app.package("require('ms')(60000)", dependencies={"ms": "2.1.3", "debug": "4.4.0"})
        app.tell("install --package-lock-only")
        lock = json.loads((app.repository.work / "package-lock.json").read_text())
        # As another npm, or a hand, leaves it: an entry that nothing asks for.
        lock["packages"]["node_modules/once"] = {
            "version": "1.4.0",
            "resolved": "https://registry.npmjs.org/once/-/once-1.4.0.tgz",
            "integrity": "sha512-lNaJgI+2Q5URQBkccEKHTQOPaXdUxnZZElQTZY0MFUAuaEqe1E+Nyvgdz/"
            "aIyNi6Z9MzO5dv1H8n58/GELp3+w==",
        }
        app.repository.write("package-lock.json", json.dumps(lock, indent=2))
        await app.build()
        assert "npm would change package-lock.json: node_modules/once" in app.output
        assert "Once more, with all dependencies installed again:" in app.output
        assert await app.get() == "1m"
        assert json.loads(await app.text("package-lock.json")) == lock

    asyncio.run(story())


@pytest.mark.parametrize("script", [{"postinstall": "node -e 0"}, {"heroku-prebuild": "node -e 0"}])
def test_an_app_with_install_scripts_of_its_own_is_installed_from_nothing(
    running_node: RunningNode, folder: Path, script: dict[str, str]
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "npm@11.21.2")
        app.package("require('ms')(60000)", dependencies={"ms": "2.1.3"}, scripts=script)
        app.tell("install --package-lock-only")
        await app.build()
        app.package("require('ms')(60000)", dependencies={"ms": "2.0.0"}, scripts=script)
        app.tell("install --package-lock-only")
        await app.build()
        assert "-----> Installing dependencies\n" in app.output
        assert await app.get() == "1m"

    asyncio.run(story())
