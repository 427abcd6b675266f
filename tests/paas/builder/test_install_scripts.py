"""An unchanged lock file is not an unchanged installation: what scripts read and write counts."""

import asyncio
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.apps import App
from tests.paas.builder.packages import Dependencies
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

SERVER = """
const { createServer } = require('http');
const answer = %s;
createServer((_, out) => out.end(`${answer}`)).listen(process.env.PORT);
"""
GENERATES = {
    "install.js": """
    const fs = require('fs');
    const schema = fs.readFileSync(`${process.env.INIT_CWD}/schema.txt`, 'utf8');
    fs.writeFileSync('generated.js', `module.exports = ${JSON.stringify(schema)}`);
    """,
    "index.js": "module.exports = require('./generated.js')",
}
"""As Prisma's client does: its install script reads a file of the app."""


def app_that_answers(node: RunningNode, folder: Path, expression: str) -> tuple[App, Dependencies]:
    app = App(node, folder, None)
    app.repository.write("server.js", SERVER % expression)
    return app, Dependencies(app.repository)


@pytest.mark.parametrize("build", [None, "node -e 0"])
def test_a_dependency_made_from_the_apps_files_follows_them(
    running_node: RunningNode, folder: Path, build: str | None
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('client')")
        dependencies.archive("client", GENERATES, scripts={"postinstall": "node install.js"})
        if build:
            dependencies.package["scripts"]["build"] = build
        dependencies.write()
        app.repository.write("schema.txt", "first")
        await app.build()
        assert await app.get() == "first"

        app.repository.write("schema.txt", "second")
        await app.build()
        assert "-----> Running install scripts again: client\n" in app.output
        assert await app.get() == "second"

    asyncio.run(story())


def test_a_workspace_is_prepared_again_from_its_source(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('lib')")
        prepare = "mkdir -p dist && cp index.src.js dist/index.js"
        dependencies.workspace(
            "lib",
            {"index.src.js": "module.exports = 'first'"},
            main="dist/index.js",
            scripts={"prepare": prepare},
        )
        dependencies.write()
        await app.build()
        assert await app.get() == "first"

        app.repository.write("packages/lib/index.src.js", "module.exports = 'second'")
        await app.build()
        assert "Installing dependencies" not in app.output
        assert await app.get() == "second"

    asyncio.run(story())


def test_what_scripts_write_beside_the_dependencies_is_there_after_each_build(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(
            running_node, folder, "require('fs').readFileSync('made/a', 'utf8')"
        )
        dependencies.archive(
            "writer",
            {},
            scripts={"postinstall": "mkdir -p $INIT_CWD/made && echo -n made > $INIT_CWD/made/a"},
        )
        dependencies.package["scripts"]["build"] = "test ! -e left-by-build && touch left-by-build"
        dependencies.write()
        await app.build()
        assert await app.get() == "made"
        app.repository.write("README", "changed")
        await app.build()
        assert await app.get() == "made"

    asyncio.run(story())


def test_scripts_that_can_run_only_once_run_over_a_new_installation(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('once')")
        script = "mv index.src.js index.js && cat $INIT_CWD/suffix.js >> index.js"
        dependencies.archive(
            "once",
            {"index.src.js": "module.exports = 'of '\n"},
            scripts={"postinstall": script},
        )
        dependencies.write()
        app.repository.write("suffix.js", "+ 'first'")
        await app.build()
        assert await app.get() == "of first"
        app.repository.write("suffix.js", "+ 'second'")
        await app.build()
        assert "Once more, with all dependencies installed again:" in app.output
        assert await app.get() == "of second"

    asyncio.run(story())


@pytest.mark.parametrize(
    "script",
    [
        "printf 1 >> node_modules/part/text",
        "sed -i s/$/1/ node_modules/part/text",
        "cp node_modules/part/text text && printf 1 >> text && mv text node_modules/part/text",
    ],
)
def test_packages_that_the_apps_own_script_changes_are_changed_once(
    running_node: RunningNode, folder: Path, script: str
) -> None:
    async def story() -> None:
        expression = "require('fs').readFileSync('node_modules/part/text', 'utf8')"
        app, dependencies = app_that_answers(running_node, folder, expression)
        dependencies.archive("part", {"text": "0"})
        dependencies.package["scripts"]["postinstall"] = script
        dependencies.write()
        for text in ("first", "second", "third"):
            app.repository.write("README", text)
            await app.build()
            assert await app.get() == "01"
        assert "The app's own install scripts changed node_modules/part" in app.output

    asyncio.run(story())


def test_own_scripts_that_leave_the_packages_alone_need_no_installation(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        expression = "require('./node_modules/.made/text.json')"
        app, dependencies = app_that_answers(running_node, folder, expression)
        dependencies.archive("part", {"text": "0"})
        script = "mkdir -p node_modules/.made && cp text.json node_modules/.made/text.json"
        app.repository.write("make.sh", script)
        dependencies.package["scripts"]["postinstall"] = "sh make.sh"
        dependencies.write()
        for text in ("first", "second"):
            app.repository.write("text.json", f'"{text}"')
            await app.build()
            assert await app.get() == text
        assert "Installing dependencies" not in app.output
        assert "Once more" not in app.output

    asyncio.run(story())


def test_an_archive_in_the_tree_that_is_not_what_the_lock_file_says_is_refused(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('part')")
        dependencies.archive("part", {"index.js": "module.exports = 'first'"})
        dependencies.write()
        await app.build()
        dependencies.archive("part", {"index.js": "module.exports = 'second'"})
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "npm_integrity"
        dependencies.write()
        await app.build()
        assert await app.get() == "second"

    asyncio.run(story())


def test_from_nothing_means_that_nothing_of_earlier_builds_is_there(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('part')")
        dependencies.archive("part", {"index.js": "module.exports = 'part'"})
        dependencies.package["scripts"]["build"] = (
            'test ! "$FRESH" -o ! -e .cache/x && mkdir -p .cache && touch .cache/x'
        )
        dependencies.write()
        await app.build()
        await app.build()
        assert "Installing dependencies: skipped" in app.output
        with pytest.raises(BuildFailed):
            await app.build({"FRESH": "yes"})
        await app.build({"FRESH": "yes"}, from_nothing=True)
        assert "-----> Installing dependencies\n" in app.output
        await app.build()
        assert "Installing dependencies: skipped" in app.output

    asyncio.run(story())


def test_what_was_installed_is_there_after_a_build_that_failed(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app, dependencies = app_that_answers(running_node, folder, "require('part')")
        dependencies.archive("part", {"index.js": "module.exports = 'part'"})
        dependencies.package["scripts"]["build"] = "node build.js"
        dependencies.write()
        app.repository.write("build.js", "oops(")
        with pytest.raises(BuildFailed):
            await app.build()
        app.repository.write("build.js", "")
        await app.build()
        assert "Installing dependencies: skipped, package-lock.json has not changed" in app.output
        assert await app.get() == "part"

    asyncio.run(story())
