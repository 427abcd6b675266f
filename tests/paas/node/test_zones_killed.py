"""kill -9 of the node at any moment of a verb: the next one is consistent and nothing leaks."""

import asyncio
import contextlib

import pytest

from paas.node.client import NodeError
from paas.node.network import netlink
from paas.node.zone import cgroups

from .conftest import RunningNode, get

pytestmark = pytest.mark.root


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
