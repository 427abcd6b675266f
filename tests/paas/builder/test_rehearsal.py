"""The compile cache of an image: made by a start that nobody notices, and never old code."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from paas.builder import rehearsal
from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
SERVER = """
const { greeting } = require('./greeting.js');
require('http')
  .createServer((request, response) => {
    require('./late.js');
    response.end(greeting() + '\\n');
  })
  .listen(process.env.PORT);
"""
GREETING = "exports.greeting = () => 'Hello from {place}';\n"
PACKAGE = '{"name": "app", "engines": {"node": ">=22"}, "scripts": {"start": "node server.js"}}'
LOCK = '{"name": "app", "lockfileVersion": 3, "packages": {"": {"name": "app"}}}'
BUILD = PACKAGE.replace('"start"', '"build": "node build.js", "start"')


def simple(app: App, server: str = SERVER, package: str = PACKAGE) -> App:
    app.repository.write("package.json", package)
    app.repository.write("package-lock.json", LOCK)
    app.repository.write("server.js", server)
    app.repository.write("greeting.js", GREETING.format(place="here"))
    app.repository.write("late.js", "exports.late = true;\n")
    return app


async def run(app: App, script: str) -> str:
    """What a program says in a machine of the image, with the variables of the web process."""
    assert app.built is not None
    variables: Mapping[str, str] = app.built.commands["web"]["environment"]
    words = [f"{name}={value}" for name, value in variables.items()]
    pins = {"smartplatform:runtime": app.built.runtime_uuid, "smartplatform:port": None}
    payload = await app.node.payload(
        ["sleep", "600"], image_uuid=app.built.image_uuid, metadata=pins
    )
    try:
        await app.node.client.create(payload)
        code, said = await app.node.output(payload["uuid"], "env", *words, "sh", "-c", script)
    finally:
        await app.node.client.delete(payload["uuid"])
    assert code == 0, said
    return said


async def from_cache(app: App) -> set[str]:
    """The app's files whose code a new instance takes from the cache."""
    script = "require('/app/greeting.js'); require('/app/late.js')"
    said = await run(app, f'NODE_DEBUG_NATIVE=COMPILE_CACHE node -e "{script}"')
    return set(re.findall(r"cache for (?:CommonJS )?/app/(\S+) was accepted", said))


def test_unchanged_code_comes_from_the_cache_and_changed_code_never_does(
    running_node: RunningNode, folder: Path
) -> None:
    async def told() -> None:
        app = simple(App(running_node, folder))
        await app.build()
        assert "rehearsal" in app.ms
        # That of `late.js` is compiled only when a request comes.
        assert await from_cache(app) == {"greeting.js", "late.js"}
        assert await app.get() == "Hello from here\n"
        # As long as before, so that only the content tells.
        app.repository.replace("greeting.js", "here", "afar")
        await app.build()
        assert "rehearsal" not in app.ms
        assert await from_cache(app) == {"late.js"}
        assert await app.get() == "Hello from afar\n"

    asyncio.run(told())


def test_an_instance_can_not_change_its_cache(running_node: RunningNode, folder: Path) -> None:
    async def told() -> None:
        app = simple(App(running_node, folder))
        await app.build()
        script = (
            f"find {rehearsal.FOLDER} ! -user 1001; "
            f"find {rehearsal.FOLDER} -writable; "
            f"! mv {rehearsal.FOLDER} /var/tmp/other 2>&1"
        )
        said = await run(app, script)
        assert said.count("\n") == 1 and "cannot move" in said

    asyncio.run(told())


def test_a_start_leaves_nothing_but_the_cache_and_reaches_nobody(
    running_node: RunningNode, folder: Path
) -> None:
    """It has no config vars, writes into no file of the app, and its connections are refused."""
    server = """
    const fs = require('fs');
    for (const path of ['/app/started', '/app/greeting.js', '/var/tmp/started']) {
      try { fs.writeFileSync(path, 'written'); } catch {}
    }
    const said = (name, text) => {
      require('child_process').execFileSync('mkdir', ['-p', `/var/tmp/said/${name}-${text}`]);
    };
    said('secret', process.env.SECRET || 'none');
    require('net').connect(80, '10.0.0.1').on('error', (error) => said('net', error.code));
    fetch('http://10.0.0.1/').catch((error) => said('fetch', error.cause.code));
    const udp = require('dgram').createSocket('udp4');
    udp.send('x', 53, '10.0.0.1', (error) => said('udp', error.code));
    setTimeout(() => require('http').createServer().listen(process.env.PORT), 300);
    """

    async def told() -> None:
        app = simple(App(running_node, folder), server)
        await app.build({"SECRET": "shown"})
        said = await run(app, "ls /app /var/tmp/said; cat /app/greeting.js")
        assert "started" not in said
        assert "Hello from here" in said
        for line in ("secret-none", "net-ECONNREFUSED", "fetch-ECONNREFUSED", "udp-ECONNREFUSED"):
            assert line in said.splitlines()

    asyncio.run(told())


@pytest.mark.parametrize(
    "server",
    [
        "require('./greeting.js'); throw new Error('no DATABASE_URL');",
        "require('./greeting.js'); setInterval(() => {}, 50);",
        "require('./greeting.js'); process.on('SIGTERM', () => {}); for (;;);",
        "require('fs').rmSync(process.env.NODE_COMPILE_CACHE, { recursive: true }); for (;;);",
        "require('./greeting.js'); require('child_process').spawn('sleep', ['1000']);",
        "const it = require('cluster'); require('./greeting.js'); it.isPrimary ? it.fork() :"
        " require('http').createServer((_, answer) => answer.end()).listen(process.env.PORT);",
    ],
    ids=["throws", "waits", "hangs", "spoils", "parent", "cluster"],
)
def test_a_build_succeeds_whatever_the_start_does(
    running_node: RunningNode, folder: Path, server: str
) -> None:
    async def told() -> None:
        app = simple(App(running_node, folder), server)
        await app.build()
        assert app.ms["rehearsal"] > 0
        if "greeting" in server and "for (;;)" not in server:
            assert "greeting.js" in await from_cache(app)

    asyncio.run(told())


def test_what_was_kept_of_a_failed_build_is_rehearsed_by_the_next(
    running_node: RunningNode, folder: Path
) -> None:
    async def told() -> None:
        app = simple(App(running_node, folder), package=BUILD)
        app.repository.write("build.js", "process.exit(1)")
        with pytest.raises(Exception, match="build"):
            await app.build()
        app.repository.write("build.js", "process.exit(0)")
        await app.build()
        assert "rehearsal" in app.ms
        app.repository.write("build.js", "process.exit(0);")
        await app.build()
        assert "rehearsal" not in app.ms
        assert await from_cache(app) == {"greeting.js", "late.js"}

    asyncio.run(told())


def test_another_nodejs_is_rehearsed_anew(running_node: RunningNode, folder: Path) -> None:
    async def told() -> None:
        app = simple(App(running_node, folder))
        await app.build()
        app.repository.replace("package.json", ">=22", "26.x")
        await app.build()
        assert "rehearsal" in app.ms
        assert await from_cache(app) == {"greeting.js", "late.js"}

    asyncio.run(told())


def test_a_site_has_nothing_to_rehearse(running_node: RunningNode, folder: Path) -> None:
    async def told() -> None:
        app = App(running_node, folder, "html")
        await app.build()
        assert "rehearsal" not in app.ms

    asyncio.run(told())
