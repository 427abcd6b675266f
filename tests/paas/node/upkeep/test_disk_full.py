"""The host's disk below a sparse pool fills up, with the state on a small disk of its own."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from paas.host.checks import resources
from paas.node.errors import NodeError
from paas.node.pools import sparse_file
from paas.node.pools.interface import reserve_bytes
from paas.node.upkeep import poolwatch
from paas.settings import Settings
from tests.names import own_name
from tests.paas.node.conftest import RunningNode, get, gone, stopped
from tests.paas.node.pools.test_pools import as_root, loop_devices
from tests.paas.node.pools.test_trouble import limit_device
from tests.paas.node.zone.test_zones import APP, is_listening

pytestmark = [pytest.mark.root, as_root]
MIB = 1024 * 1024
DISK_BYTES = 7 * 1024 * MIB
TURNS = 100
QUIET = {"smartplatform:port": None}
WRITER = """
i=0
while true; do
    i=$((i + 1))
    head -c 1000000 /dev/urandom > "/app/file$((i % 400))" 2> /dev/null
    sleep 0.05
done
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=60, capture_output=True)


@pytest.fixture
def small_disk_node(tmp_path: Path) -> Iterator[RunningNode]:
    """A node whose state is on a disk of its own."""
    settings = Settings(installation=own_name("test-disk"))
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, DISK_BYTES)
    run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    settings.state.mkdir(parents=True)
    try:
        run("mount", "-o", "loop", str(image), str(settings.state))
        settings.logs.mkdir()
        node = RunningNode(settings)
        try:
            node.start()
            yield node
        finally:
            stopped(node)
    finally:
        subprocess.run(["umount", "--lazy", str(settings.state)], timeout=60)
        gone(settings)


def fill(folder: Path) -> Path:
    """A file that leaves the disk no block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece_bytes in (1024 * MIB, 16 * MIB, 4096):
            with contextlib.suppress(OSError):
                while True:
                    size = os.fstat(file.fileno()).st_size
                    os.posix_fallocate(file.fileno(), size, piece_bytes)
    return filler


async def until_done(call: Callable[[], Awaitable[None]], otherwise: Callable[[], str]) -> None:
    """The pool's watch says nothing to others when it has looked."""
    for _ in range(TURNS):
        try:
            await call()
            return
        except (NodeError, AssertionError):
            await asyncio.sleep(0.2)
    raise AssertionError(otherwise())


def test_a_full_disk_harms_nobody_but_who_writes(small_disk_node: RunningNode) -> None:
    async def story() -> None:
        node, client = small_disk_node, small_disk_node.client
        settings = node.settings
        web = await client.create(await node.payload(["node", "-e", APP]))
        await node.until(web["uuid"], is_listening)
        writer = await client.create(
            await node.payload(["sh", "-c", WRITER], metadata=QUIET, quota=2)
        )
        late = await node.payload(["sleep", "1000"], metadata=QUIET)
        filler = fill(settings.state)

        said = settings.logs / "node.log"

        async def refused() -> None:
            code, why = await node.output(writer["uuid"], "sh", "-c", "echo more > /app/more")
            assert code != 0 and "quota" in why.lower()

        await until_done(refused, said.read_text)
        with pytest.raises(NodeError) as error:
            await client.create(late)
        assert error.value.code == "NoSpace"
        assert get(node.socket(web["uuid"]))
        rebooted = await client.reboot(web["uuid"], force=True)
        assert rebooted["state"] == "running"
        os.sync()
        assert not os.statvfs(settings.pool_mount).f_flag & os.ST_RDONLY
        finding = resources.pool(settings)
        assert finding.level == "problem" and "reserve" in finding.text
        filler.unlink()

        async def writes() -> None:
            assert (await node.output(writer["uuid"], "sh", "-c", "echo x > /app/more"))[0] == 0

        await until_done(writes, said.read_text)
        assert (await client.create(late))["state"] == "running"
        assert resources.pool(settings).level == "ok"

    asyncio.run(story())


def test_a_pool_that_became_read_only_is_named_and_mounted_anew_at_the_next_start(
    small_disk_node: RunningNode,
) -> None:
    async def story() -> None:
        node, client = small_disk_node, small_disk_node.client
        settings = node.settings
        web = await client.create(await node.payload(["node", "-e", APP]))
        await node.until(web["uuid"], is_listening)
        await node.output(web["uuid"], "sh", "-c", "echo whole > /app/kept; sync")
        os.sync()
        (device,) = loop_devices(settings.pool_file)
        limit_device(device, 4096)
        made = {web["uuid"]}
        with pytest.raises((NodeError, OSError)):
            for _ in range(50):
                payload = await node.payload(["sleep", "1000"], metadata=QUIET)
                made.add((await client.create(payload))["uuid"])
                os.sync()
        assert {vm["uuid"] for vm in await client.list()} == made
        with pytest.raises(NodeError) as error:
            await client.update(web["uuid"], {"max_lwps": 70})
        assert error.value.code == "PoolUnavailable"
        assert "paas down" in error.value.message
        finding = resources.pool(settings)
        assert finding.level == "problem" and "read-only" in finding.text
        limit_device(device, 0)
        node.stop()
        node.start()

        async def mounted() -> None:
            assert sparse_file.is_mounted(settings.pool_mount)
            assert not os.statvfs(settings.pool_mount).f_flag & os.ST_RDONLY

        await until_done(mounted, (settings.logs / "node.log").read_text)
        await node.until(web["uuid"], is_listening)
        assert await node.output(web["uuid"], "cat", "/app/kept") == (0, "whole\n")
        assert get(node.socket(web["uuid"]))
        assert resources.pool(settings).level == "ok"
        listed = {vm["uuid"]: vm["state"] for vm in await client.list()}
        # What was made in the moments before btrfs gave up may be gone with them.
        assert listed.keys() <= made and set(listed.values()) <= {"running", "stopped"}, listed

    asyncio.run(story())


def test_what_machines_may_write_ends_at_the_reserve() -> None:
    size = 20 * 1024 * MIB
    reserve = reserve_bytes(size)
    assert poolwatch.spare_bytes(size, reserve) == 0
    assert poolwatch.spare_bytes(size, reserve - 1) == 0
    assert poolwatch.spare_bytes(size, reserve + 7) == 7


def test_the_limit_follows_at_the_end_and_leaves_small_changes_alone() -> None:
    assert poolwatch.must_set(None, 5)
    assert poolwatch.must_set(4096, 0) and poolwatch.must_set(0, 4096)
    assert not poolwatch.must_set(0, 0)
    assert not poolwatch.must_set(10_000 * MIB, 10_010 * MIB)
    assert poolwatch.must_set(10_000 * MIB, 9_000 * MIB)
    assert poolwatch.must_set(8 * MIB, 5 * MIB)
