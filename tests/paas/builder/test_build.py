"""Builds on a node of the tests' own: first, again, failing, cancelled; and what they leave."""

import asyncio
import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from paas import builder
from paas.apps import build_limits
from paas.apps.build_limits import Limits
from paas.builder import BuildFailed, rehearsal, zone
from paas.builder.images import bases
from paas.node import words
from paas.node.errors import NodeError
from tests.paas.builder.apps import App
from tests.paas.builder.repositories import SAMPLES
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


async def idle_build_machine(node: RunningNode) -> str:
    """As a control that was killed in the middle of a build leaves it."""
    found = bases(await node.client.images())
    made = await node.client.create(
        zone.payload(
            uuid=str(uuid.uuid4()),
            image=found.base,
            stack=found.build_stack,
            runtimes={},
            tags={words.BUILD: "gone"},
            name="app",
            memory_mib=512,
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
        assert second.trunk_uuid == first.trunk_uuid

        await builder.discard(running_node.client, app.id)
        images = {image["uuid"] for image in await running_node.client.images()}
        assert not {first.image_uuid, second.image_uuid, first.trunk_uuid} & images

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
        assert "Running install scripts again" not in app.output
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
        app.limits = replace(app.limits, time_s=1.5)
        app.repository.write("build.js", "setInterval(() => {}, 1000);")
        before = await belongings(running_node)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "build_timeout"
        assert "build did not come to an end within 1.5 s" in raised.value.message
        assert "paas config:set BUILD_TIMEOUT_S=10 " in raised.value.hint
        assert await belongings(running_node) == before

    asyncio.run(story())


def test_a_repository_within_is_said_to_be_left_out(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "http")
        app.repository.add_submodule("vendor/lib")
        await app.build()
        assert "which .gitmodules has not fetched: vendor/lib" in app.output

    asyncio.run(story())


@pytest.mark.parametrize("shared", [False, True])
def test_config_vars_reach_the_build_and_the_hosts_tokens_only_if_the_operator_shares_them(
    running_node: RunningNode, folder: Path, shared: bool
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.settings = replace(running_node.settings, share_npm_credentials=shared)
        app.settings.npmrc.write_text("//npm.example/:_authToken=very-secret\n")
        app.repository.write(
            "build.js",
            """
            const { execSync } = require('child_process');
            if (process.env.COLOUR !== 'blue') process.exit(1);
            if (process.env.NODE_ENV !== 'production') process.exit(2);
            execSync('npm config get registry', { stdio: 'inherit' });
            const text = require('fs').readFileSync(process.env.npm_config_userconfig, 'utf8');
            console.log(text);
            const shared = process.env.SHARED === 'true';
            if (text.includes('very-' + 'secret') !== shared) process.exit(4);
            """,
        )
        try:
            await app.build({"COLOUR": "blue", "SHARED": str(shared).lower()})
        finally:
            app.settings.npmrc.unlink()
        assert "very-secret" not in app.output
        assert ("_authToken=[hidden]" in app.output) is shared
        async with app.instance() as machine:
            places = ("/app", "/tmp", "/var", "/root", "/home", "/etc")
            code, said = await running_node.output(machine, "grep", "-rls", "very-secret", *places)
        assert (code, said) in ((1, ""), (2, ""))

    asyncio.run(story())


def test_no_log_of_npm_is_in_an_image(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.repository.write("build.js", "")
        await app.build()
        found = await app.files("/var/tmp")
        assert [path for path in found if not path.startswith(rehearsal.FOLDER)] == []

    asyncio.run(story())


@pytest.mark.parametrize(
    "build",
    [
        "tail -f /dev/null & echo left",
        "tail -f /dev/null > /dev/null 2>&1 & echo left",
        "(while true; do echo more; sleep 1; done) & echo left",
        "node detach.js",
    ],
)
def test_a_step_ends_with_its_command_and_so_does_what_it_leaves(
    running_node: RunningNode, folder: Path, build: str
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "http")
        app.limits = replace(app.limits, time_s=60.0)
        app.repository.write(
            "detach.js",
            """
            const options = { detached: true, stdio: 'inherit' };
            require('child_process').spawn('tail', ['-f', '/dev/null'], options).unref();
            console.log('left');
            """,
        )
        app.repository.write(
            "look.js",
            """
            const fs = require('fs');
            const pids = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
            const lines = pids.map((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
            if (lines.some((line) => /^tail|echo more/.test(line))) process.exit(1);
            """,
        )
        scripts = {
            "start": "node server.js",
            "build": build,
            "heroku-cleanup": "node look.js",
        }
        app.repository.write("package.json", json.dumps({"scripts": scripts}))
        await app.build()
        assert "       left\n" in app.output

    asyncio.run(story())


def test_a_build_that_needs_more_memory_is_told_how_much_it_had_and_how_to_get_more(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        fill = "const all = []; for (let i = 0; i < 5; i++) all.push(Buffer.alloc(64 << 20, 1));"
        # As build tools do: it is a child that is killed, and its parent only says that it failed.
        app.repository.write("fill.js", fill)
        app.repository.write(
            "build.js",
            "const { status } = require('child_process').spawnSync('node', ['fill.js']);"
            "if (status !== 0) process.exit(1)",
        )
        app.limits = Limits(256, 60.0, 1024, 60.0)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "build_out_of_memory"
        assert "256 MiB of memory that this build has" in raised.value.message
        assert "paas config:set BUILD_MEMORY_MIB=512\n" in raised.value.hint
        assert "at most 1024 here" in raised.value.hint
        config = {"BUILD_MEMORY_MIB": "512"}
        app.limits = build_limits.limits(config, app.limits)
        await app.build(config)

    asyncio.run(story())


def test_a_script_that_kills_itself_is_not_said_to_have_used_too_much_memory(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.repository.write("build.js", "process.kill(process.ppid, 'SIGKILL')")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert "perhaps it killed itself" in raised.value.message

    asyncio.run(story())


def test_nodejs_is_told_how_large_its_heap_may_be_also_beside_options_of_the_app(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "broken-build")
        app.repository.write(
            "build.js",
            "const all = []; for (;;) all.push({})",
        )
        app.limits = Limits(1024, 60.0, 1024, 60.0)
        with pytest.raises(BuildFailed) as raised:
            await app.build({"NODE_OPTIONS": "--no-warnings"})
        assert raised.value.id == "node_out_of_memory"
        assert "its heap, 768 MiB of the 1024 MiB" in raised.value.message
        assert "build_memory_max_mib" in raised.value.hint

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
        app.trunk = None
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
