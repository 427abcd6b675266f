"""Builds on a node of the tests' own: first, again, failing, cancelled; and what they leave."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paas import builder
from paas.builder import BuildFailed, Built, zone
from paas.builder.images import bases
from paas.node.client import NodeError
from paas.timeline import Timeline, render
from tests.paas.builder.repositories import SAMPLES, Repository
from tests.paas.node.conftest import RunningNode, get, running_node

__all__ = ["running_node"]
pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


class Trunk:
    def __init__(self, image_uuid: str) -> None:
        self.image_uuid = image_uuid


class App:
    """An app of the test's: its repository, and what its builds print."""

    def __init__(self, node: RunningNode, folder: Path, sample: str | None = None) -> None:
        self.node = node
        self.id = str(uuid.uuid4())
        self.repository = Repository(folder, sample)
        self.built: Built | None = None
        self.output = ""
        self.settings = node.settings

    async def write(self, text: str) -> None:
        self.output += text

    async def build(self, config: Mapping[str, str] | None = None) -> Built:
        self.output, timeline = "", Timeline()
        try:
            self.built = await builder.build(
                settings=self.settings,
                node=self.node.client,
                app_id=self.id,
                app_name="sample",
                build_id=str(uuid.uuid4()),
                repository=self.repository.path,
                commit=self.repository.commit(),
                config=config or {},
                trunk=Trunk(self.built.trunk_uuid) if self.built else None,
                write=self.write,
                timeline=timeline,
            )
        finally:
            print(self.output, render(timeline), sep="")
        self.ms = {step.name: step.duration_ms for step in timeline.steps}
        return self.built

    @asynccontextmanager
    async def instance(self, type: str = "web") -> Any:
        """A machine that runs a process type of the last build."""
        assert self.built is not None
        command = self.built.commands[type]
        variables = [f"{name}={value}" for name, value in command["environment"].items()]
        payload = await self.node.payload(
            command["argv"],
            image_uuid=self.built.image_uuid,
            metadata={
                "docker:env": json.dumps(variables),
                "smartplatform:stack": self.built.stack_uuid,
                "smartplatform:runtime": self.built.runtime_uuid,
            },
        )
        try:
            await self.node.client.create(payload)
            yield payload["uuid"]
        finally:
            await self.node.client.delete(payload["uuid"])

    async def get(self, path: str = "/") -> str:
        async with self.instance() as machine:
            await self.node.until(machine, lambda vm: vm["listening"] is not None)
            return await asyncio.to_thread(get, self.node.socket(machine), path)

    async def files(self, path: str = "/app") -> list[str]:
        """Names of what is in the image, below a folder."""
        async with self.instance() as machine:
            code, said = await self.node.output(machine, "find", path, "-mindepth", "1")
            assert code == 0, said
            return said.splitlines()


@pytest.fixture
def folder(running_node: RunningNode, tmp_path: Path) -> Iterator[Path]:
    running_node.settings.control_state.mkdir(parents=True, exist_ok=True)
    yield tmp_path
    asyncio.run(builder.sweep(running_node.client, nothing_claimed))


async def nothing_claimed() -> set[str]:
    return set()


async def idle_build_machine(node: RunningNode) -> str:
    """As a control that was killed in the middle of a build leaves it."""
    found = bases(await node.client.images())
    made = await node.client.create(
        zone.payload(
            uuid=str(uuid.uuid4()),
            image=found.base,
            stack=found.build_stack,
            runtime=None,
            tags={builder.BUILD_TAG: "gone"},
            name="app",
        )
    )
    return str(made["uuid"])


async def belongings(node: RunningNode) -> tuple[set[str], set[str]]:
    machines, images = await node.client.list(), await node.client.images()
    return {item["uuid"] for item in machines}, {item["uuid"] for item in images}


def test_an_express_app_is_built_and_a_change_of_one_line_installs_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "express")
        first = await app.build()
        assert "-----> Installing dependencies\n" in app.output
        assert first.processes == {"web": "node server.js"}
        assert await app.get() == "Hello from SmartPlatform\n"

        app.repository.replace("server.js", "Hello from SmartPlatform", "Hello again")
        second = await app.build()
        assert "Installing dependencies: skipped, package-lock.json has not changed" in app.output
        assert "dependencies" not in app.ms
        assert await app.get() == "Hello again\n"
        assert second.image_uuid != first.image_uuid
        assert sum(app.ms.values()) < 3000

        third = await app.build()
        images = {image["uuid"] for image in await running_node.client.images()}
        assert first.trunk_uuid not in images
        assert {second.trunk_uuid, third.trunk_uuid, first.image_uuid} <= images

        await builder.discard(running_node.client, app.id)
        images = {image["uuid"] for image in await running_node.client.images()}
        assert not {first.image_uuid, second.image_uuid, third.trunk_uuid} & images

    asyncio.run(story())


def test_dev_dependencies_build_the_app_and_are_not_in_its_image(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "build-step")
        app.repository.write("public/old.txt", "old")
        await app.build()
        names = await app.files()
        assert "/app/dist/server.js" in names
        assert not [name for name in names if name.startswith("/app/node_modules/esbuild")]
        assert await app.get("/x") == "built: /x\n"

        # What the last build script made must not be there when the next begins.
        app.repository.remove("public/old.txt")
        app.repository.replace("package.json", '"build": "', '"build": "test ! -e dist && ')
        app.repository.replace("src/server.ts", "built:", "built again:")
        await app.build()
        assert "Installing dependencies: skipped" in app.output
        assert "/app/public" not in await app.files()
        assert await app.get("/y") == "built again: /y\n"

    asyncio.run(story())


def test_dependencies_that_the_app_no_longer_has_are_gone(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "express")
        await app.build()
        app.repository.remove("package-lock.json")
        app.repository.write("package.json", '{"scripts": {"start": "node server.js"}}')
        app.repository.write("server.js", (SAMPLES / "http/server.js").read_text())
        await app.build()
        assert await app.get() == "hello\n"
        assert "/app/node_modules" not in await app.files()

    asyncio.run(story())


def test_a_native_addon_is_compiled_for_the_runtime(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "native")
        await app.build()
        assert (await app.get()).startswith("$2b$04$")

    asyncio.run(story())


def test_a_failing_build_says_why_and_leaves_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        before = await belongings(running_node)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "build_script_failed"
        assert "pages/index.md: no title" in raised.value.tail
        assert "       build.js: pages/index.md: no title\n" in app.output
        assert await belongings(running_node) == before

    asyncio.run(story())


@pytest.mark.parametrize(
    ("sample", "id_"),
    [
        ("broken-no-package", "no_package_json"),
        ("broken-no-start", "no_start_command"),
        ("broken-lock", "npm_lockfile_out_of_sync"),
    ],
)
def test_what_can_be_seen_from_the_files_is_refused_without_a_zone(
    running_node: RunningNode, folder: Path, sample: str, id_: str
) -> None:
    async def story() -> None:
        app = App(running_node, folder, sample)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert (raised.value.id, app.output) == (id_, "")

    asyncio.run(story())


def test_a_cancelled_build_leaves_nothing(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.repository.write("build.js", "console.log('waiting'); setInterval(() => {}, 1000);")
        before = await belongings(running_node)
        waiting = asyncio.Event()

        async def write(text: str) -> None:
            if "waiting" in text:
                waiting.set()

        app.write = write  # type: ignore[method-assign]
        build = asyncio.create_task(app.build())
        async with asyncio.timeout(120):
            await waiting.wait()
        build.cancel()
        with pytest.raises(asyncio.CancelledError):
            await build
        assert await belongings(running_node) == before

    asyncio.run(story())


def test_a_build_that_never_ends_is_stopped(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.settings = replace(running_node.settings, build_timeout_s=1.5)
        app.repository.write("build.js", "setInterval(() => {}, 1000);")
        before = await belongings(running_node)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "build_timeout"
        assert await belongings(running_node) == before

    asyncio.run(story())


def test_a_submodule_is_said_to_be_left_out(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder, "http")
        app.repository.add_submodule("vendor/lib")
        await app.build()
        assert "submodules are not fetched, their folders are absent: vendor/lib" in app.output

    asyncio.run(story())


def test_config_vars_reach_the_build_and_npms_configuration_no_image(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        running_node.settings.npmrc.write_text("//npm.example/:_authToken=very-secret\n")
        app = App(running_node, folder, "broken-build")
        app.repository.write(
            "build.js",
            """
            const { execSync } = require('child_process');
            if (process.env.COLOUR !== 'blue') process.exit(1);
            if (process.env.NODE_ENV !== 'production') process.exit(2);
            execSync('npm config get registry', { stdio: 'inherit' });
            if (!require('fs').readFileSync(process.env.npm_config_userconfig, 'utf8')
              .includes('very-' + 'secret')) process.exit(4);
            """,
        )
        try:
            await app.build({"COLOUR": "blue"})
        finally:
            running_node.settings.npmrc.unlink()
        assert "very-secret" not in app.output
        async with app.instance() as machine:
            places = ("/app", "/tmp", "/var", "/root", "/home", "/etc")
            code, said = await running_node.output(machine, "grep", "-rls", "very-secret", *places)
        assert (code, said) in ((1, ""), (2, ""))

    asyncio.run(story())


def test_a_version_that_is_not_installed_comes_from_the_registry(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "http")
        app.repository.replace(
            "package.json", '"scripts"', '"engines": {"node": "22.x"}, "scripts"'
        )
        app.repository.replace("server.js", "'hello\\n'", "process.version")
        built = await app.build()
        assert built.runtime_version.startswith("22.")
        assert f"Fetching Node.js {built.runtime_version}" in app.output
        assert await app.get() == f"v{built.runtime_version}"
        async with app.instance() as machine:
            code, said = await running_node.output(machine, "npm", "--version")
            assert code == 0, said
        await app.build()
        assert "Fetching" not in app.output

    asyncio.run(story())


def test_what_nobody_claims_is_swept_away(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder, "http")
        kept = await app.build()
        app.built = None
        orphan = await app.build()

        async def claimed() -> set[str]:
            return {kept.image_uuid, orphan.trunk_uuid}

        idle = await idle_build_machine(running_node)
        gone = await builder.sweep(running_node.client, claimed)
        assert set(gone) == {orphan.image_uuid, idle}
        with pytest.raises(NodeError, match="not installed"):
            await running_node.client.image(orphan.image_uuid)
        await running_node.client.image(kept.image_uuid)

    asyncio.run(story())
