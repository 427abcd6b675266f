"""Builds without a zone: when they are, that they are right, and when they are not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from paas.builder import derive
from paas.node import words
from paas.node.client import Node
from paas.node.errors import NodeError
from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
FAST, ORDINARY = {"preflight", "image"}, {"preflight", "zone", "checkout", "snapshot"}


def tell(app: App, story: Callable[[App], Awaitable[None]]) -> None:
    async def told() -> None:
        await app.build()
        assert set(app.ms) >= ORDINARY
        await story(app)

    asyncio.run(told())


def test_only_a_changed_lock_file_boots_a_zone(running_node: RunningNode, folder: Path) -> None:
    async def story(app: App) -> None:
        app.repository.replace("server.js", "SmartPlatform", "here")
        second = await app.build()
        assert set(app.ms) == FAST
        assert "Installing dependencies: skipped, package-lock.json has not changed" in app.output
        assert "Pruning dev dependencies: skipped, there are none" in app.output
        assert await app.get() == "Hello from here\n"

        app.repository.replace("package-lock.json", "{\n", "{\n\n")
        third = await app.build()
        assert ORDINARY | {"dependencies"} <= set(app.ms)
        assert third.trunk_uuid != second.trunk_uuid

        app.repository.replace("server.js", "here", "there")
        fourth = await app.build()
        assert set(app.ms) == FAST
        assert fourth.trunk_uuid == third.trunk_uuid
        assert await app.get() == "Hello from there\n"

    tell(App(running_node, folder, "express"), story)


def test_the_tree_is_the_commits_and_the_dependencies(
    running_node: RunningNode, folder: Path
) -> None:
    """As a build from nothing makes it, whatever became of each file."""

    async def story(app: App) -> None:
        app.repository.write("public/deep/er/a.txt", "a")
        app.repository.write("kind", "a file")
        app.repository.write("folder/of", "a file")
        (app.repository.work / "link").symlink_to("server.js")
        app.repository.write_bytes("n\udcff", b"\0\xff")
        await app.build()
        assert set(app.ms) == FAST
        app.repository.remove("public/deep/er/a.txt")
        app.repository.remove("kind")
        app.repository.write("kind/is", "a folder")
        app.repository.remove("folder/of")
        (app.repository.work / "folder").rmdir()
        app.repository.write("folder", "a file")
        app.repository.remove("link")
        (app.repository.work / "link").symlink_to("/etc/passwd")
        (app.repository.work / "server.js").chmod(0o755)
        await app.build()
        assert set(app.ms) == FAST
        derived = await listing(app)
        await app.build(from_nothing=True)
        assert set(app.ms) >= ORDINARY
        assert await listing(app) == derived
        assert any("kind/is" in line for line in derived)

    tell(App(running_node, folder, "express"), story)


async def listing(app: App) -> list[str]:
    """Kind, permissions, size, owner, name and target of everything but dependencies' times."""
    script = (
        "find /app -printf '%M %U %G %p %l\\n' | sort; "
        "find /app -path /app/node_modules -prune -o -type f -exec cksum {} + | sort"
    )
    async with app.instance() as machine:
        code, said = await app.node.output(machine, "sh", "-c", script)
        assert code == 0, said
        return said.splitlines()


def test_a_tree_that_stays_the_same_is_the_same_image(
    running_node: RunningNode, folder: Path
) -> None:
    async def story(app: App) -> None:
        first = app.built
        again = await app.build()
        assert first
        assert again.image_uuid == first.image_uuid
        assert again.commit != first.commit

    tell(App(running_node, folder, "express"), story)


def test_what_is_pruned_comes_from_the_image_and_never_from_the_trunk(
    running_node: RunningNode, folder: Path
) -> None:
    async def story(app: App) -> None:
        assert "Pruning dev dependencies\n" in app.output
        pruned = await app.files("/app/node_modules")
        app.repository.write("more.txt", "1")
        await app.build()
        assert set(app.ms) == FAST
        assert "Pruning dev dependencies: skipped, what it would leave is there" in app.output
        assert await app.files("/app/node_modules") == pruned
        app.built = None
        app.repository.write("more.txt", "2")
        await app.build()
        assert ORDINARY | {"prune"} <= set(app.ms)

    app = App(running_node, folder, "express")
    need_morgan_for_development_only(app)
    tell(app, story)


def need_morgan_for_development_only(app: App) -> None:
    for line in ('const morgan = require("morgan");\n', 'app.use(morgan("tiny"));\n'):
        app.repository.replace("server.js", line, "")
    for name in ("package.json", "package-lock.json"):
        content = json.loads((app.repository.work / name).read_text())
        root = content["packages"][""] if "packages" in content else content
        root["devDependencies"] = {"morgan": root["dependencies"].pop("morgan")}
        if "packages" in content:
            content["packages"]["node_modules/morgan"]["dev"] = True
        app.repository.write(name, json.dumps(content))


def test_scripts_that_run_need_a_zone(running_node: RunningNode, folder: Path) -> None:
    async def story(app: App) -> None:
        app.repository.write("more.txt", "1")
        await app.build()
        assert ORDINARY | {"build"} <= set(app.ms)

    tell(App(running_node, folder, "build-step"), story)


def test_git_files_among_the_dependencies_need_a_zone(
    running_node: RunningNode, folder: Path
) -> None:
    async def story(app: App) -> None:
        app.repository.write("lib/node_modules/own/index.js", "1")
        app.repository.remove(".gitignore")
        await app.build()
        assert set(app.ms) >= ORDINARY

    tell(App(running_node, folder, "express"), story)


@pytest.mark.parametrize("code", ["DeriveFailed", "ImageNotInstalled", "UnknownVerb"])
def test_what_the_node_refuses_is_built_in_a_zone(
    running_node: RunningNode, folder: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise NodeError(code, "no")

    async def story(app: App) -> None:
        monkeypatch.setattr(Node, "derive_image", refuse)
        app.repository.replace("server.js", "SmartPlatform", "a zone")
        await app.build()
        assert set(app.ms) >= ORDINARY
        assert await app.get() == "Hello from a zone\n"

    tell(App(running_node, folder, "express"), story)


def test_an_image_that_does_not_say_how_it_was_made_is_no_origin(
    running_node: RunningNode, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of an earlier version."""
    whole = derive.origin

    def without_tags(work: Any, start: Any, installed: Any) -> Any:
        older = [
            {**image, "tags": {k: v for k, v in image["tags"].items() if k != words.PRUNED}}
            for image in installed
        ]
        return whole(work, start, older)

    async def story(app: App) -> None:
        monkeypatch.setattr(derive, "origin", without_tags)
        app.repository.write("more.txt", "1")
        await app.build()
        assert set(app.ms) >= ORDINARY

    tell(App(running_node, folder, "express"), story)
