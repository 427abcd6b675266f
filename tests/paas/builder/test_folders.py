"""Apps in folders of their repository, built and started by real package managers."""

import asyncio
import json
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.apps import App
from tests.paas.builder.managers import SERVER, ManagedApp
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

LEAVES_HOME = "test $HOME != /app && echo > ~/.cache/kept"
"""The root of a workspace is nobody's home, yet what is kept in the home is in the image."""


def workspace(app: App, folder: str, name: str, **fields: object) -> None:
    package = {"name": name, "version": "1.0.0", **fields}
    app.repository.write(f"{folder}/package.json", json.dumps(package))


def monorepo(running_node: RunningNode, folder: Path, manager: str, link: str) -> ManagedApp:
    """`apps/web` shows what `packages/ui` makes of a dependency that it has alone."""
    app = ManagedApp(running_node, folder, manager)
    root = {
        "name": "root",
        "private": True,
        "version": "1.0.0",
        "workspaces": ["apps/*", "packages/*"],
    }
    app.repository.write("package.json", json.dumps(root))
    app.repository.write(".gitignore", "node_modules\ndist.js\n")
    workspace(
        app,
        "apps/web",
        "web",
        scripts={"start": "node server.js", "build": f"semver 1.2.3 > built && {LEAVES_HOME}"},
        dependencies={"ui": link},
        devDependencies={"semver": "7.6.0"},
    )
    answer = "process.cwd() + require('ui') + require('fs').readFileSync('built', 'utf8').trim()"
    app.repository.write("apps/web/server.js", SERVER % answer)
    workspace(
        app,
        "packages/ui",
        "ui",
        main="dist.js",
        scripts={"build": "cp source.js dist.js"},
        dependencies={"ms": "2.1.3"},
    )
    app.repository.write("packages/ui/source.js", "module.exports = require('ms')(60000)")
    app.root = "apps/web"
    return app


@pytest.mark.parametrize(
    ("manager", "link", "lock"),
    [
        ("npm@11", "*", "package-lock.json"),
        ("pnpm@10.34.8", "workspace:*", "pnpm-lock.yaml"),
        ("yarn@1.22.22", "*", "yarn.lock"),
    ],
)
def test_one_of_several_workspaces_is_built_after_those_that_it_needs(
    running_node: RunningNode, folder: Path, manager: str, link: str, lock: str
) -> None:
    async def story() -> None:
        app = monorepo(running_node, folder, manager, link)
        app.repository.write("pnpm-workspace.yaml", "packages:\n- apps/*\n- packages/*\n")
        app.tell("install")
        built = await app.build()
        assert "Node.js app detected in apps/web" in app.output
        assert "Building, after packages/ui" in app.output
        assert built.commands["web"]["folder"] == "apps/web"
        assert await app.get() == "/app/apps/web1m1.2.3"
        names = await app.files("/app")
        assert not [name for name in names if "/node_modules/semver/" in name]
        assert [name for name in names if name.endswith("/app/.cache/kept")]

        app.repository.replace("packages/ui/source.js", "60000", "120000")
        await app.build()
        assert f"Installing dependencies: skipped, {lock} has not changed" in app.output
        assert await app.get() == "/app/apps/web2m1.2.3"

    asyncio.run(story())


def test_turborepo_builds_the_app_and_what_it_needs(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = monorepo(running_node, folder, "npm@11", "*")
        root = json.loads((app.repository.work / "package.json").read_text())
        root |= {"packageManager": "npm@11.6.0", "devDependencies": {"turbo": "2.6.1"}}
        app.repository.write("package.json", json.dumps(root))
        tasks = {"build": {"dependsOn": ["^build"], "outputs": ["dist.js", "built"]}}
        app.repository.write("turbo.json", json.dumps({"tasks": tasks}))
        app.tell("install")
        await app.build()
        assert "Building by Turborepo" in app.output
        assert await app.get() == "/app/apps/web1m1.2.3"
        app.repository.replace("apps/web/server.js", "process.cwd()", "'again '")
        await app.build()
        assert "ui:build: cache hit" in app.output
        assert await app.get() == "again 1m1.2.3"

    asyncio.run(story())


def test_a_folder_on_its_own_is_installed_there_and_the_next_push_needs_no_zone(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = ManagedApp(running_node, folder, "npm@11")
        workspace(
            app, "services/api", "api", main="server.js", dependencies={"ms": "2.1.3"},
            scripts={"start": "node server.js"},
        )  # fmt: skip
        answer = "require('ms')(60000) + require('../../shared')"
        app.repository.write("services/api/server.js", SERVER % answer)
        app.repository.write("shared/index.js", "module.exports = ' shared'")
        app.type("cd services/api && npx --yes --package npm@11 npm install")
        app.repository.write(".gitignore", "node_modules\n")
        app.root = "services/api"
        await app.build()
        assert await app.get() == "1m shared"

        app.repository.write("shared/index.js", "module.exports = ' again'")
        await app.build()
        assert "zone" not in app.ms
        assert await app.get() == "1m again"

        app.root = "service/api"
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.hint.endswith("paas apps:set --root services/api")

    asyncio.run(story())


def test_pages_in_a_folder_are_served_from_there(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        app.repository.write("sites/one/index.html", "one")
        app.repository.write("index.html", "not this one")
        app.root = "sites/one"
        await app.build()
        assert "Static site detected in sites/one" in app.output
        assert await app.get() == "one"

    asyncio.run(story())
