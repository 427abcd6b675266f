"""A machine is said to listen when a request from the host gets an HTTP answer, and not before."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.paas.node.conftest import PATIENCE_S, RunningNode, get

pytestmark = pytest.mark.root

HTTP = "require('http').createServer((q, r) => r.end('hello'))"
LOOPBACK = f"{HTTP}.listen(process.env.PORT, '127.0.0.1')"
SPAWNS = """
const { spawn } = require('child_process');
const child = spawn(process.execPath, ['-e', process.env.SERVER], { stdio: %s });
process.on('SIGTERM', () => child.kill());
"""
FORKS = """
const fs = require('fs');
fs.writeFileSync('/app/server.js', process.env.SERVER);
require('child_process').fork('/app/server.js');
"""
CLUSTER = """
const cluster = require('cluster');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT);
"""
QUIET_NODE = "NODE_OPTIONS= node -e"


@asynccontextmanager
async def machine(
    node: RunningNode, command: list[str], variables: dict[str, str] | None = None
) -> AsyncIterator[str]:
    given = [f"{name}={value}" for name, value in {"SERVER": LOOPBACK, **(variables or {})}.items()]
    payload = await node.payload(command, metadata={"docker:env": json.dumps(given)})
    try:
        await node.client.create(payload)
        yield payload["uuid"]
    finally:
        await node.client.delete(payload["uuid"])


@pytest.mark.parametrize(
    "command",
    [
        ["node", "-e", LOOPBACK],
        ["node", "-e", SPAWNS % "'inherit'"],
        ["node", "-e", SPAWNS % "['pipe', 'inherit', 'inherit']"],
        ["node", "-e", SPAWNS % "['inherit', 'inherit', 'inherit', 'ipc']"],
        ["node", "-e", SPAWNS % "'ignore'"],
        ["node", "-e", FORKS],
        ["node", "-e", "require('child_process').exec('node -e \"$SERVER\"')"],
        ["sh", "-c", 'node -e "$SERVER"; true'],
        ["sh", "-c", 'node -e "$SERVER" | cat'],
        ["sh", "-c", 'true && node -e "eval(process.env.SPAWNS)"'],
    ],
    ids=["itself", "inherit", "array", "ipc", "ignore", "fork", "exec", "shell", "pipe", "both"],
)
def test_a_server_on_loopback_is_reached_wherever_node_starts_it(
    running_node: RunningNode, command: list[str]
) -> None:
    async def story() -> None:
        spawns = SPAWNS % "'inherit'"
        async with machine(running_node, command, {"SPAWNS": spawns}) as uuid:
            vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
            assert vm["listening"] == "unix"
            assert get(running_node.socket(uuid)) == "hello"

    asyncio.run(story())


SICK = """
const fs = require('fs');
require('http').createServer((request, response) => {
  const asked = `${request.headers.host}${request.url}`;
  const known = asked === 'a.example/health?deep=1';
  response.statusCode = known && fs.existsSync('/tmp/well') ? 204 : 503;
  response.end('hello');
}).listen(process.env.PORT);
"""


def test_a_report_that_comes_before_the_boot_has_ended_is_not_lost(
    running_node: RunningNode,
) -> None:
    """As static servers report: once, before they listen, and nothing listens on the port."""

    async def story() -> None:
        report = 'echo \'{"type":"listening"}\' >&4'
        server = HTTP + ".listen({fd: 3})"
        command = ["sh", "-c", f'{report}; NODE_OPTIONS= exec node -e "$SERVER"']
        async with machine(running_node, command, {"SERVER": server}) as uuid:
            for _ in range(4):
                vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
                assert vm["listening"] == "unix"
                await running_node.client.reboot(uuid, force=True)

    asyncio.run(story())


async def run(node: RunningNode, uuid: str, *command: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        done = await node.client.exec(uuid, command, stdin=null, stdout=null, stderr=null)
    finally:
        os.close(null)
    assert done.code == 0


def test_who_names_a_health_is_ready_when_that_is_well_and_is_asked_once(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        health = {"smartplatform:health": "http://a.example/health?deep=1"}
        payload = await running_node.payload(["node", "-e", SICK], metadata=health)
        uuid = str((await running_node.client.create(payload))["uuid"])
        try:
            vm = await running_node.until(
                uuid, lambda vm: vm.get("unreachable", {}).get("answer"), PATIENCE_S
            )
            assert vm["unreachable"]["answer"] == "unhealthy 503"
            assert vm["listening"] is None
            await run(running_node, uuid, "touch", "/tmp/well")
            vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
            await run(running_node, uuid, "rm", "/tmp/well")
            # It was ready once: what its health is now, the router knows.
            await running_node.client.reboot(uuid)
            vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
        finally:
            await running_node.client.delete(uuid)

    asyncio.run(story())


def test_a_cluster_in_a_child_is_reached_too(running_node: RunningNode) -> None:
    async def story() -> None:
        file = "require('fs').writeFileSync('/app/primary.js', process.env.CLUSTER);"
        spawns = file + SPAWNS % "['inherit', 'inherit', 'inherit', 'ipc']"
        spawns = spawns.replace("['-e', process.env.SERVER]", "['/app/primary.js']")
        async with machine(running_node, ["node", "-e", spawns], {"CLUSTER": CLUSTER}) as uuid:
            vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
            assert vm["listening"] == "unix"
            assert get(running_node.socket(uuid)) == "hello"

    asyncio.run(story())


def test_a_server_that_is_no_node_program_is_reached_at_its_address(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        command = ["sh", "-c", f'{QUIET_NODE} "{HTTP}.listen(process.env.PORT)"']
        async with machine(running_node, command) as uuid:
            vm = await running_node.until(uuid, lambda vm: vm["listening"], PATIENCE_S)
            assert vm["listening"] == "tcp"
            assert "unreachable" not in vm

    asyncio.run(story())


def quiet(source: str) -> list[str]:
    return ["sh", "-c", f'{QUIET_NODE} "{source}"']


NET = "require('net').createServer"


@pytest.mark.parametrize(
    ("command", "unreachable"),
    [
        (quiet(LOOPBACK), {"listening": ["127.0.0.1:5000"], "answer": "refused"}),
        (
            quiet(f"{HTTP}.listen(process.env.PORT, '::1')"),
            {"listening": ["[::1]:5000"], "answer": "refused"},
        ),
        (["node", "-e", f"{HTTP}.listen(8080)"], {"listening": ["[::]:8080"]}),
        (
            ["node", "-e", f"{NET}((s) => s.end('220 mail ready')).listen(process.env.PORT)"],
            {"listening": ["[::]:5000"], "answer": "other"},
        ),
        (
            ["node", "-e", f"{NET}((s) => s.resume().end()).listen(process.env.PORT)"],
            {"listening": ["[::]:5000"], "answer": "closed"},
        ),
        (
            ["node", "-e", f"{NET}(() => {{}}).listen(process.env.PORT)"],
            {"listening": ["[::]:5000"], "answer": "silent"},
        ),
        (
            ["node", "-e", "require('http2').createServer().listen(process.env.PORT)"],
            {"listening": ["[::]:5000"], "answer": "http2"},
        ),
    ],
    ids=["loopback", "loopback of IPv6", "port", "text", "closed", "silent", "HTTP/2"],
)
def test_what_can_not_be_asked_is_not_ready_and_what_was_found_is_told(
    running_node: RunningNode, command: list[str], unreachable: dict[str, Any]
) -> None:
    async def story() -> None:
        async with machine(running_node, command) as uuid:

            def told(vm: dict[str, Any]) -> bool:
                assert vm["listening"] is None
                return bool(vm.get("unreachable") == unreachable)

            await running_node.until(uuid, told, PATIENCE_S)

    asyncio.run(story())


def test_an_app_that_listens_while_it_is_still_busy_is_ready_when_it_answers(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        busy = (
            f"{HTTP}.listen(process.env.PORT, () => {{ const fs = require('fs');"
            "fs.writeFileSync('/app/listens', '');"
            "while (!fs.existsSync('/app/go')) Atomics.wait(new Int32Array("
            "new SharedArrayBuffer(4)), 0, 0, 20); })"
        )
        async with machine(running_node, ["node", "-e", busy]) as uuid:
            wait = "until [ -e /app/listens ]; do sleep 0.02; done"
            assert (await running_node.output(uuid, "sh", "-c", wait))[0] == 0
            assert (await running_node.client.get(uuid))["listening"] is None
            await running_node.output(uuid, "touch", "/app/go")
            await running_node.until(uuid, lambda vm: vm["listening"] == "unix", PATIENCE_S)

    asyncio.run(story())


def test_the_question_reaches_no_app(running_node: RunningNode) -> None:
    async def story() -> None:
        counts = (
            "let count = 0; require('http').createServer((q, r) => r.end(String(++count)))"
            ".on('clientError', () => { count += 100; }).listen(process.env.PORT)"
        )
        async with machine(running_node, ["node", "-e", counts]) as uuid:
            await running_node.until(uuid, lambda vm: vm["listening"] == "unix", PATIENCE_S)
            assert get(running_node.socket(uuid)) == "1"

    asyncio.run(story())
