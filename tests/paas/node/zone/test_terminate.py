"""A stop lets every process of a zone come to its end, whoever started it, while there is time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.paas.node.conftest import PATIENCE_S, RunningNode

# ruff: noqa: ASYNC110 (a log has no event for a test)
pytestmark = pytest.mark.root

QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": "no"}
WORKER = """
const fs = require('fs');
let told = 0;
process.on('SIGTERM', () => {
  told += 1;
  if (told > 1) return console.log('told again');
  console.log('finishing job');
  setTimeout(() => { console.log('job saved'); process.exit(0); }, 1500);
});
setInterval(() => {}, 1000);
console.log('working');
"""
PARENT = """
const { spawn } = require('child_process');
spawn(process.execPath, ['-e', process.env.WORKER], { stdio: 'inherit' });
%s
"""
LATE = "$| = 1; select undef, undef, undef, 0.5; print"
CLEANS_UP = "trap 'sleep 1; echo job saved; exit 0' TERM; echo working; while :; do sleep 0.1; done"


@asynccontextmanager
async def machine(node: RunningNode, command: list[str]) -> AsyncIterator[str]:
    """Once it works."""
    metadata = {**QUIET, "docker:env": json.dumps([f"WORKER={WORKER}"])}
    payload = await node.payload(command, metadata=metadata)
    try:
        await node.client.create(payload)
        await printed(node, payload["uuid"], "working")
        yield payload["uuid"]
    finally:
        await node.client.delete(payload["uuid"])


async def printed(node: RunningNode, uuid: str, text: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while text not in node.log(uuid):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["node", "-e", WORKER], 0),
        (["sh", "-c", 'node -e "$WORKER"; echo after'], 143),
        (["sh", "-c", 'node -e "$WORKER" && node -e "console.log(1)"'], 143),
        (["sh", "-c", 'node -e "$WORKER" | cat'], 143),
        (["sh", "-c", 'node -e "$WORKER" 2>&1 | cat | sed -u s/x/x/'], 143),
        (["sh", "-c", f"node -e \"$WORKER\" | perl -ne '{LATE}'"], 143),
        (["sh", "-c", 'node -e "$WORKER" & sleep 1000 & wait'], 143),
        (["sh", "-c", 'node -e "$WORKER" & exec sleep 1000'], 143),
        (["bash", "-c", 'node -e "$WORKER" | tee /tmp/log'], 143),
        (["node", "-e", PARENT % ""], 143),
        (["node", "-e", PARENT % "process.on('SIGTERM', () => process.exit(3));"], 3),
        (["sh", "-c", CLEANS_UP], 0),
    ],
    ids=[
        "itself",
        "shell",
        "then",
        "pipe",
        "pipes",
        "slow filter",
        "background",
        "exec",
        "tee",
        "parent",
        "quick",
        "trap",
    ],
)
def test_all_have_time_to_finish_and_are_told_once(
    running_node: RunningNode, command: list[str], status: int
) -> None:
    async def story() -> None:
        async with machine(running_node, command) as uuid:
            stopped = await running_node.client.stop(uuid, timeout_s=PATIENCE_S)
            text = running_node.log(uuid)
            assert "job saved" in text, text
            assert "told again" not in text
            assert (stopped["state"], stopped["exit_status"]) == ("stopped", status)
            assert "R12" not in text

    asyncio.run(story())


def test_a_reboot_waits_for_all_as_a_stop_does(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node, ["sh", "-c", 'node -e "$WORKER" | cat']) as uuid:
            again = await running_node.client.reboot(uuid, timeout_s=PATIENCE_S)
            assert "job saved" in running_node.log(uuid)
            assert again["state"] == "running"

    asyncio.run(story())


def test_who_does_not_end_in_time_is_killed_with_all_others(running_node: RunningNode) -> None:
    async def story() -> None:
        stays = "trap '' TERM; echo working; while :; do sleep 0.1; done"
        command = ["sh", "-c", f"sh -c \"{stays}\" & node -e 'setInterval(() => {{}}, 1000)'"]
        async with machine(running_node, command) as uuid:
            stopped = await running_node.client.stop(uuid, timeout_s=1.0)
            assert stopped["state"] == "stopped"
            assert "Error R12 (Exit timeout)" in running_node.log(uuid)
            assert "Stopping remaining processes with SIGKILL" in running_node.log(uuid)

    asyncio.run(story())


def test_a_node_that_was_killed_in_a_stop_leaves_no_zone_halted(
    running_node: RunningNode,
) -> None:
    """The init is held still meanwhile: the next node lets it go, and the end is seen."""

    async def story() -> None:
        command = ["sh", "-c", 'node -e "$WORKER" & exec sleep 1000']
        async with machine(running_node, command) as uuid:
            stopping = asyncio.ensure_future(running_node.client.stop(uuid, timeout_s=PATIENCE_S))
            await printed(running_node, uuid, "finishing job")
            running_node.kill()
            await asyncio.gather(stopping, return_exceptions=True)
            await asyncio.to_thread(running_node.start)
            stopped = await running_node.client.stop(uuid, timeout_s=PATIENCE_S)
            assert (stopped["state"], stopped["exit_status"]) == ("stopped", 143)

    asyncio.run(story())
