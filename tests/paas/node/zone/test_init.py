"""The zone's init: orphans are reaped, signals arrive as anywhere, and a stop is never slow."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.paas.node.conftest import RunningNode

# ruff: noqa: ASYNC110 (a log has no event for a test)
pytestmark = pytest.mark.root

QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": "no"}
PATIENCE_S = 60
LWPS = 64
ORPHANS = """
const { spawnSync } = require('child_process');
const fs = require('fs');
const others = () => fs.readdirSync('/proc').filter((name) => +name > 1 && +name !== process.pid);
let failed = 0;
for (let count = 0; count < 150; count += 1) {
  const made = spawnSync('sh', ['-c', 'sleep 0.01 &'], { stdio: 'ignore' });
  if (made.error || made.status) failed += 1;
}
const until = Date.now() + 30000;
const look = () => {
  const left = others();
  if (left.length > 0 && Date.now() < until) setTimeout(look, 20);
  else console.log(JSON.stringify({ failed, left, pid: process.pid }));
};
look();
"""
COUNTING = """
let count = 0;
process.on('SIGTERM', () => { count += 1; setTimeout(() => process.exit(10 + count), 300); });
console.log('ready');
setInterval(() => {}, 1000);
"""


@asynccontextmanager
async def machine(
    node: RunningNode, command: list[str], **changes: Any
) -> AsyncIterator[dict[str, Any]]:
    payload = await node.payload(command, metadata=QUIET, **changes)
    try:
        yield await node.client.create(payload)
    finally:
        await node.client.delete(payload["uuid"])


async def printed(node: RunningNode, uuid: str, text: str) -> str:
    """The log once it has the text."""
    async with asyncio.timeout(PATIENCE_S):
        while text not in node.log(uuid):
            await asyncio.sleep(0.02)
    return node.log(uuid)


def test_orphans_do_not_fill_the_process_limit(running_node: RunningNode) -> None:
    async def story() -> None:
        command = ["node", "-e", ORPHANS]
        async with machine(running_node, command, max_lwps=LWPS) as vm:
            await running_node.until(vm["uuid"], lambda vm: vm["state"] == "stopped", PATIENCE_S)
            lines = running_node.log(vm["uuid"]).splitlines()
            found = json.loads(next(line.split(" F ")[1] for line in lines if '"left"' in line))
            assert (found["failed"], found["left"]) == (0, [])
            assert found["pid"] != 1

    asyncio.run(story())


def test_a_stop_signals_the_command_once(running_node: RunningNode) -> None:
    """Apps take a second SIGTERM for impatience."""

    async def story() -> None:
        async with machine(running_node, ["node", "-e", COUNTING]) as vm:
            await printed(running_node, vm["uuid"], "ready")
            stopped = await running_node.client.stop(vm["uuid"], timeout_s=PATIENCE_S)
            assert stopped["exit_status"] == 11

    asyncio.run(story())


@pytest.mark.parametrize(
    "command",
    [["node", "-e", "setInterval(() => {}, 1000)"], ["sleep", "1000"], ["sh", "-c", "sleep 1000"]],
    ids=["node", "sleep", "shell"],
)
def test_what_handles_no_signal_is_stopped_by_the_first_also_while_it_boots(
    running_node: RunningNode, command: list[str]
) -> None:
    async def story() -> None:
        async with machine(running_node, command) as vm:
            for _ in range(3):
                stopped = await running_node.client.stop(vm["uuid"], timeout_s=PATIENCE_S)
                assert (stopped["state"], stopped["exit_status"]) == ("stopped", 143)
                assert (await running_node.client.start(vm["uuid"]))["state"] == "running"
            assert "R12" not in running_node.log(vm["uuid"])

    asyncio.run(story())


def test_a_signal_for_the_first_process_reaches_the_command(running_node: RunningNode) -> None:
    handles = "process.on('SIGUSR2', () => process.exit(42)); console.log('ready');"
    command = ["node", "-e", handles + "setInterval(() => {}, 1000)"]

    async def story() -> None:
        async with machine(running_node, command) as vm:
            await printed(running_node, vm["uuid"], "ready")
            await running_node.client.kill(vm["uuid"], "USR2")
            ended = await running_node.until(
                vm["uuid"], lambda vm: vm["state"] == "stopped", PATIENCE_S
            )
            assert ended["exit_status"] == 42

    asyncio.run(story())
