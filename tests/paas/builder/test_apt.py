"""Packages of the distribution in an app: by the host's own apt, from its own sources."""

import asyncio
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from tests.paas.builder.apps import App
from tests.paas.builder.managers import SERVER
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]
RUNS_JQ = SERVER % "require('child_process').execSync('echo 4 | jq .+1').toString()"


def test_a_program_of_the_aptfile_runs_in_the_app_and_the_next_push_installs_nothing(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        package = '{"scripts": {"start": "node server.js", "build": "jq --version > built"}}'
        app.repository.write("package.json", package)
        app.repository.write("server.js", RUNS_JQ)
        app.repository.write("Aptfile", "jq # of the command line\n")
        await app.build()
        assert "-----> Installing apt packages\n" in app.output
        # What it needs comes along; what the stack has does not.
        names = await app.files("/app/.apt/usr")
        assert [name for name in names if "libjq.so" in name]
        assert not [name for name in names if "libc.so" in name]
        assert await app.get() == "5\n"

        app.repository.replace("server.js", "echo 4", "echo 6")
        await app.build()
        assert "Installing apt packages: skipped, the Aptfile has not changed" in app.output
        assert "apt" not in app.ms
        assert await app.get() == "7\n"

        app.repository.write("Aptfile", "jq\nnosuch-package\n")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "apt_package_unknown"
        assert raised.value.message.endswith(": nosuch-package")

        app.repository.write("Aptfile", "https://127.0.0.1:9/x_1.0_amd64.deb\n")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert "https://127.0.0.1:9/x_1.0_amd64.deb" in raised.value.message

        app.repository.remove("Aptfile")
        app.repository.replace("package.json", "jq --version > built", "true")
        app.repository.write("server.js", SERVER % "require('fs').existsSync('/app/.apt')")
        await app.build()
        assert await app.get() == "false"

    asyncio.run(story())


def test_a_push_that_runs_nothing_keeps_the_packages(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder)
        app.repository.write("package.json", '{"scripts": {"start": "node server.js"}}')
        app.repository.write("server.js", RUNS_JQ)
        app.repository.write("Aptfile", "jq\nlibblas3\n")
        await app.build()
        # Debian's alternatives would have linked it: a program looks for it in the folder above.
        names = await app.files("/app/.apt/usr/lib")
        assert [name for name in names if name.endswith("-linux-gnu/libblas.so.3")]
        app.repository.replace("server.js", "echo 4", "echo 8")
        await app.build()
        assert "zone" not in app.ms
        assert await app.get() == "9\n"

    asyncio.run(story())
