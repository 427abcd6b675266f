"""kill -9 of the node at any moment of a verb: the next one is consistent and nothing leaks."""

import asyncio
import contextlib
import os
import signal

import pytest

from paas.node.errors import NodeError
from paas.node.network import netlink
from paas.node.zone import cgroups
from tests.paas.node.conftest import PATIENCE_S, RunningNode, get
from tests.processes import nobody_collects_orphans

pytestmark = pytest.mark.root
ALL = ("sh", "-c", "cat /proc/[0-9]*/cmdline")


@pytest.mark.parametrize("delay_ms", [2, 15, 30, 45, 60, 75, 95])
def test_a_create_that_was_killed_can_be_repeated(running_node: RunningNode, delay_ms: int) -> None:
    async def story() -> None:
        app = "require('http').createServer((q, r) => r.end('hi')).listen(process.env.PORT)"
        payload = await running_node.payload(["node", "-e", app])
        uuid = payload["uuid"]
        creating = asyncio.ensure_future(running_node.client.create(payload))
        await asyncio.sleep(delay_ms / 1000)
        running_node.kill()
        with contextlib.suppress(NodeError):
            await creating
        running_node.start()
        await running_node.client.create(payload)
        await running_node.until(uuid, lambda vm: vm["listening"] == "unix")
        assert get(running_node.socket(uuid)) == "hi"
        deleting = asyncio.ensure_future(running_node.client.delete(uuid))
        await asyncio.sleep(delay_ms / 2000)
        running_node.kill()
        with contextlib.suppress(NodeError):
            await deleting
        running_node.start()
        await running_node.client.delete(uuid)
        assert await running_node.client.list() == []
        settings = running_node.settings
        assert cgroups.names(settings.installation, "machines") == set()
        assert netlink.names(settings.veth_prefix) == set()
        assert list(settings.machines_run.iterdir()) == []
        assert not (settings.pool_mount / uuid).exists()

    asyncio.run(story())


def test_what_a_killed_node_ran_in_a_zone_ends_and_the_zone_does_not(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        payload = await running_node.payload(
            ["sleep", "1000"], metadata={"smartplatform:port": None}
        )
        vm = await client.create(payload)
        running = asyncio.ensure_future(running_node.output(vm["uuid"], "sleep", "2000"))
        folder = running_node.settings.machines_run / vm["uuid"]
        try:
            async with asyncio.timeout(PATIENCE_S):
                while "2000" not in (await running_node.output(vm["uuid"], *ALL))[1]:
                    pass
            running_node.kill()
            with contextlib.suppress(NodeError):
                await running
            running_node.start()
            assert list(folder.glob("exec-*")) == []
            _, words = await running_node.output(vm["uuid"], "cat", "/proc/1/cmdline")
            assert words.split("\0")[-3:-1] == ["sleep", "1000"]
            assert "2000" not in (await running_node.output(vm["uuid"], *ALL))[1]
            assert (await client.get(vm["uuid"]))["pid"] == vm["pid"]
        finally:
            await client.delete(vm["uuid"])
        assert not folder.exists()

    with nobody_collects_orphans():
        asyncio.run(story())


def test_a_machine_whose_monitor_hangs_can_be_deleted(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        vm = await client.create(await running_node.payload(["sleep", "1000"]))
        folder = running_node.settings.machines_run / vm["uuid"]
        os.kill(int((folder / "conmon.pid").read_text()), signal.SIGSTOP)
        await client.delete(vm["uuid"])
        assert not folder.exists()

    asyncio.run(story())


def test_a_machine_whose_socket_was_removed_gets_a_new_one_at_its_boot(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        app = "require('http').createServer((q, r) => r.end('hi')).listen(process.env.PORT)"
        uuid = (await client.create(await running_node.payload(["node", "-e", app])))["uuid"]
        await running_node.until(uuid, lambda vm: vm["listening"] == "unix")
        for name in ("web.sock", "reports"):
            (running_node.settings.machines_run / uuid / name).unlink()
        await client.reboot(uuid, force=True)
        await running_node.until(uuid, lambda vm: vm["listening"] == "unix")
        assert get(running_node.socket(uuid)) == "hi"
        await client.delete(uuid)

    asyncio.run(story())
