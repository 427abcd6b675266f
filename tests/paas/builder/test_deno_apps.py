"""Apps of Deno: what they import is in the image, so that they start without a network, and a
second push runs nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from paas.builder import BuildFailed
from tests import npm_commands
from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
FAST = {"preflight", "image"}
SERVER = """
import ms from "ms";
Deno.serve({ port: 8123 }, () => new Response(ms(60000)));
"""


class DenoApp(App):
    def __init__(self, node: RunningNode, folder: Path, **deno_json: Any) -> None:
        super().__init__(node, folder)
        self.environment = npm_commands.environment(folder / "bin") | {
            "DENO_DIR": str(folder / "deno"),
            "DENO_TLS_CA_STORE": "system",
        }
        self.write_configuration(**deno_json)
        self.repository.write(".gitignore", "node_modules\n")

    def write_configuration(self, **deno_json: Any) -> None:
        self.repository.write("deno.json", json.dumps(deno_json))

    def type(self, command: str) -> str:
        """What a developer types, whose Deno is the newest."""
        program = Path(self.environment["PATH"].partition(":")[0], "deno")
        program.write_text('#!/bin/sh\nexec npx --yes deno@2.9.6 "$@"\n')
        program.chmod(0o755)
        return npm_commands.run(command, self.repository.work, self.environment, 300)


def test_what_deno_init_leaves_runs_offline_and_its_second_push_runs_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = DenoApp(
            running_node,
            folder,
            tasks={"dev": "deno run --watch --allow-net main.ts"},
            imports={"ms": "npm:ms@2.1.3"},
        )
        app.repository.write("main.ts", SERVER)
        app.type("deno install")
        first = await app.build()
        assert "-----> Deno app detected" in app.output
        assert "as its task dev has it, deno run --allow-net main.ts it is" in app.output
        web = first.commands["web"]
        assert web["argv"] == ["deno", "run", "--allow-net", "main.ts"]
        assert web["runtime"] == f"Deno {first.runtime_version}"
        assert set(web["runtimes"]) == {"deno"}
        assert await app.get() == "1m"
        async with app.instance() as machine:
            argv = ("deno", "run", "--cached-only", "--allow-env", "main.ts")
            code, said = await app.node.output(machine, "timeout", "5", *argv)
            assert "NotCapable" in said, (code, said)

        app.repository.replace("main.ts", "60000", "120000")
        second = await app.build()
        assert set(app.ms) == FAST
        assert "Installing dependencies: skipped, deno.lock has not changed" in app.output
        assert second.commands == first.commands
        assert await app.get() == "2m"

    asyncio.run(story())


def test_deno_serve_listens_on_the_platforms_port_and_a_build_task_runs(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = DenoApp(
            running_node,
            folder,
            tasks={
                "build": "mkdir -p made && cp server.ts made/server.ts",
                "start": "deno serve --port 3000 --allow-env made/server.ts",
            },
        )
        answer = "import ms from 'npm:ms@2.1.3'; export default { fetch: () => new Response(%s) };"
        app.repository.write("server.ts", answer % "ms(60000) + Deno.env.get('DYNO')")
        await app.build()
        assert "platform's port instead of --port 3000" in app.output
        assert await app.get() == "1mundefined"
        app.repository.write("server.ts", answer % "ms(120000)")
        await app.build()
        assert "Installing dependencies: skipped" in app.output
        assert await app.get() == "2m"

    asyncio.run(story())


def test_a_lock_file_out_of_step_is_refused_with_the_commands_that_mend_it(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = DenoApp(running_node, folder, imports={"ms": "npm:ms@2.1.3"})
        app.repository.write("main.ts", SERVER)
        app.type("deno install")
        app.write_configuration(imports={"ms": "npm:ms@2.1.2"})
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "deno_lockfile_out_of_date"
        app.type(raised.value.hint.splitlines()[0])
        await app.build()
        assert await app.get() == "1m"

        app.repository.write(".deno-version", "2.0.0")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "deno_lockfile_too_new"
        app.type(raised.value.hint.partition(": ")[2])
        await app.build()
        assert "Deno 2.9.6, the newest that 2.9.6 allows (.deno-version: 2.9.6)" in app.output

    asyncio.run(story())


def test_a_package_json_has_its_node_modules_and_what_is_not_there_is_told_by_name(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = DenoApp(running_node, folder)
        package = {"scripts": {"start": "deno run -A main.ts"}, "dependencies": {"ms": "2.1.3"}}
        app.repository.write("package.json", json.dumps(package))
        app.repository.write("main.ts", SERVER)
        app.type("deno install")
        await app.build()
        assert await app.get() == "1m"
        assert "/app/node_modules/ms" in await app.files("/app/node_modules")

        for imported, id_ in (
            ("./missing.ts", "module_not_found"),
            ("npm:ms@99", "deno_bad_version"),
            ("left-over", "deno_not_a_dependency"),
            ("https://localhost:1/mod.ts", "deno_remote_unreachable"),
            ("jsr:@std/http", "deno_jsr_unreachable"),
        ):
            app.repository.write("main.ts", f"import a from '{imported}'; a();")
            app.repository.write("package.json", json.dumps({**package, "version": imported}))
            app.repository.write("deno.lock", "{}")
            app.write_configuration(lock=False)
            with pytest.raises(BuildFailed) as raised:
                await app.build({"JSR_URL": "http://localhost:1"}, from_nothing=True)
            assert raised.value.id == id_

    asyncio.run(story())
