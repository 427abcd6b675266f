"""The pool is taken away from under a node that runs: said in words, and nothing is lost."""

import asyncio
import subprocess
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.pools import sparse_file
from tests.paas.node.conftest import RunningNode, get
from tests.paas.node.zone.test_zones import APP, is_listening

pytestmark = pytest.mark.root

PATIENCE_S = 60


def run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=30, capture_output=True)


async def refused(work: Any) -> str:
    with pytest.raises(NodeError) as error:
        await work
    assert error.value.code == "PoolUnavailable", error.value.message
    return error.value.message


def test_a_pool_that_was_unmounted_is_mounted_again_unasked(running_node: RunningNode) -> None:
    async def story() -> None:
        client, settings = running_node.client, running_node.settings
        before = await client.create(await running_node.payload(["node", "-e", APP]))
        await running_node.until(before["uuid"], is_listening)
        late = await running_node.payload(["sleep", "1000"], metadata={"smartplatform:port": None})
        try:
            run("umount", "--lazy", str(settings.pool_mount))
            assert get(running_node.socket(before["uuid"]))
            assert (await client.create(late))["state"] == "running"
            assert sparse_file.is_mounted(settings.pool_mount)
            assert (await client.get(before["uuid"]))["pid"] == (
                await running_node.until(before["uuid"], is_listening)
            )["pid"]
            assert (settings.pool_mount / ".machines" / f"{late['uuid']}.json").exists()
        finally:
            for uuid in (before["uuid"], late["uuid"]):
                await client.delete(uuid)

    asyncio.run(story())


def test_while_the_pool_is_gone_machines_run_on_and_nothing_is_half_made(
    running_node: RunningNode,
) -> None:
    """Its file is away as well, so that it can't be mounted again."""

    async def story() -> None:
        client, settings = running_node.client, running_node.settings
        quiet = {"smartplatform:port": None}
        web = await client.create(await running_node.payload(["node", "-e", APP]))
        await running_node.until(web["uuid"], is_listening)
        crashing = await client.create(
            await running_node.payload(["sh", "-c", "cat /app/kept; sleep 1000"], metadata=quiet)
        )
        await running_node.output(crashing["uuid"], "sh", "-c", "echo whole > /app/kept; sync")
        late = await running_node.payload(["sleep", "1000"], metadata=quiet)
        aside = settings.pool_file.with_suffix(".aside")
        settings.pool_file.rename(aside)
        settings.pool_file.mkdir()  # What stands there now is no pool.
        run("umount", "--lazy", str(settings.pool_mount))
        try:
            message = await refused(client.create(late))
            assert str(settings.pool_mount) in message and "not lost" in message
            await refused(client.update(web["uuid"], {"max_lwps": 70}))
            await refused(client.delete(web["uuid"]))
            assert {vm["uuid"] for vm in await client.list()} == {web["uuid"], crashing["uuid"]}
            assert get(running_node.socket(web["uuid"]))
            await client.kill(crashing["uuid"], "KILL")
            vm = await running_node.until(
                crashing["uuid"], lambda vm: "is gone" in vm.get("failure", ""), PATIENCE_S
            )
            assert (vm["state"], vm["restarting"]) == ("stopped", True)
        finally:
            settings.pool_file.rmdir()
            aside.rename(settings.pool_file)
        try:
            vm = await running_node.until(
                crashing["uuid"], lambda vm: vm["state"] == "running", PATIENCE_S
            )
            assert vm.get("failure") is None
            found = await running_node.output(crashing["uuid"], "cat", "/app/kept")
            assert found == (0, "whole\n")
            assert (await client.create(late))["state"] == "running"
            assert (await client.get(web["uuid"]))["pid"] == web["pid"]
        finally:
            for uuid in (web["uuid"], crashing["uuid"], late["uuid"]):
                await client.delete(uuid)

    asyncio.run(story())
