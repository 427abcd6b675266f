"""A pool that is full, or whose device is gone: clear errors, and nothing lost."""

import asyncio
import errno
import fcntl
import os
import struct
import time
import uuid
from pathlib import Path

import pytest

from paas.node.errors import NodeError
from paas.node.pools import NoSpace, Pool, Space, btrfs_ioctls, sparse_file
from paas.node.pools.btrfs import BtrfsPool
from paas.node.pools.interface import check_space, explain, reserve_bytes
from tests.paas.node.conftest import RunningNode
from tests.paas.node.pools.test_pools import (
    MIB,
    as_root,
    loop_devices,
    make_image,
    opened,
    wait_for_cleaner,
    wait_until_detached,
    written_until_full,
)

pytestmark = [pytest.mark.root, as_root]
_LOOP_SET_STATUS64, _LOOP_GET_STATUS64 = 0x4C04, 0x4C05
_SIZE_LIMIT_OFFSET = 32


def test_a_full_pool_refuses_in_words_and_recovers(tmp_path: Path) -> None:
    with opened("btrfs", tmp_path) as pool:
        make_image(pool)
        check_space(pool)
        pool.clone("image", "glutton")
        assert written_until_full(pool.path("glutton") / "root/new", 600 * MIB)[1] == errno.ENOSPC
        with pytest.raises(NoSpace) as refused:
            check_space(pool)
        free = pool.space().free_bytes
        assert f"{free} bytes free" in refused.value.message
        assert str(pool.root) in refused.value.message
        assert "Delete old releases" in refused.value.hint
        assert (pool.path("image") / "root/file").read_bytes() == b"one"
        pool.destroy("glutton")
        wait_for_cleaner(pool)
        check_space(pool)
        clone_when_reclaimed(pool)


def clone_when_reclaimed(pool: Pool) -> None:
    """The cleaner turns empty data into room for metadata some commits after a deletion."""
    start_s = time.monotonic()
    while True:
        try:
            pool.clone("image", "machine")
            break
        except OSError as error:
            assert getattr(explain(error, pool), "code", None) == "NoSpace"
            assert time.monotonic() - start_s < 60
            wait_for_cleaner(pool)
            time.sleep(0.2)
    print(f"room for a clone {time.monotonic() - start_s:.1f} s after the deletion")


def test_the_reserve_is_a_part_of_the_pool() -> None:
    assert reserve_bytes(512 * MIB) == 128 * MIB
    assert reserve_bytes(100 * 1024 * MIB) == 2048 * MIB
    assert reserve_bytes(20 * 1024 * MIB) == 1024 * MIB
    assert reserve_bytes(100 * MIB) == 25 * MIB


def test_every_error_of_the_kernel_has_its_word(tmp_path: Path) -> None:
    with opened("dir", tmp_path) as pool:
        words = {
            number: getattr(explain(OSError(number, os.strerror(number)), pool), "code", None)
            for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
        }
    assert list(words.values()) == [
        "NoSpace",
        "QuotaExceeded",
        "PoolUnavailable",
        "PoolUnavailable",
        None,
    ]


class Nearly:
    """A pool of which only the space matters."""

    root = Path("/zones")

    def __init__(self, free_bytes: int, deleted_bytes: int = 0) -> None:
        self.free_bytes, self.deleted_bytes = free_bytes, deleted_bytes

    def space(self) -> Space:
        return Space(100 * 1024 * MIB, self.free_bytes)

    def settle(self) -> None:
        self.free_bytes += self.deleted_bytes


def test_the_reserve_is_refused_before_the_pool_is_full() -> None:
    check_space(Nearly(2048 * MIB))  # type: ignore[arg-type]
    with pytest.raises(NoSpace, match=r"2147483647 bytes free \(2047 MiB\), and keeps 2048 MiB"):
        check_space(Nearly(2048 * MIB - 1))  # type: ignore[arg-type]


def test_what_was_deleted_a_moment_ago_is_free() -> None:
    check_space(Nearly(1024 * MIB, 1024 * MIB))  # type: ignore[arg-type]
    with pytest.raises(NoSpace, match="2047 MiB"):
        check_space(Nearly(1024 * MIB, 1023 * MIB))  # type: ignore[arg-type]


def test_a_vanished_device_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    file, mount = tmp_path / "pool.img", tmp_path / "zones"
    with opened("btrfs", tmp_path) as pool:
        make_image(pool, content=b"one" * MIB)
        pool.clone("image", "machine")
        os.sync()
        (device,) = loop_devices(file)
        limit_device(device, 4096)
        error = failure_of(pool)
        found = explain(error, pool)
        assert getattr(found, "code", None) == "PoolUnavailable", error
        sparse_file.close(mount)
        wait_until_detached(file)
        sparse_file.open_file(file, mount, 512 * MIB)
        again = BtrfsPool(mount, file)
        again.sweep()
        assert {"image", "machine"} <= set(again.list())
        assert (again.path("machine") / "root/file").read_bytes() == b"one" * MIB


def failure_of(pool: Pool) -> OSError:
    """What the pool says when it must write: it has to go to the device some time."""
    for number in range(20):
        try:
            pool.clone("image", f"late-{number}")
            with (pool.path(f"late-{number}") / "root/more").open("wb") as late:
                late.write(os.urandom(MIB))
                late.flush()
                os.fsync(late.fileno())
        except OSError as error:
            return error
    raise AssertionError("nothing failed")


def limit_device(device: str, size_bytes: int) -> None:
    """The device ends after some bytes, as if the rest were unplugged (loop(4))."""
    with open(device, "rb") as loop:  # noqa: PTH123
        status = bytearray(232)
        fcntl.ioctl(loop, _LOOP_GET_STATUS64, status)
        struct.pack_into("=Q", status, _SIZE_LIMIT_OFFSET, size_bytes)
        fcntl.ioctl(loop, _LOOP_SET_STATUS64, bytes(status))


def wait_until_free(mount: Path, wanted_bytes: int) -> None:
    """The kernel gives back what was deleted part by part, and tells nobody when it is done."""
    end = time.monotonic() + 60
    while (pool := os.statvfs(mount)).f_bavail * pool.f_frsize < wanted_bytes:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_node_at_its_reserve_refuses_machines_and_images_and_keeps_its_own(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        quiet = {"smartplatform:port": None}
        there = await running_node.payload(["sleep", "1000"], metadata=quiet)
        late = await running_node.payload(["sleep", "1000"], metadata=quiet)
        await client.create(there)
        filler = running_node.settings.pool_mount / ".filler"
        try:
            pool = os.statvfs(filler.parent)
            with filler.open("wb") as file:
                free = pool.f_bavail * pool.f_frsize
                os.posix_fallocate(file.fileno(), 0, free - 100 * MIB)
                os.fsync(file.fileno())
            manifest = {"uuid": str(uuid.uuid4()), "name": "late"}
            for refused in (
                client.create(late),
                client.create_image(there["uuid"], manifest, keep_machine=True),
            ):
                with pytest.raises(NodeError, match=r"bytes free .* Delete old releases") as error:
                    await refused
                assert error.value.code == "NoSpace"
            assert [vm["uuid"] for vm in await client.list()] == [there["uuid"]]
            vm = await client.reboot(there["uuid"], force=True)
            assert vm["state"] == "running"
            filler.unlink()
            btrfs_ioctls.commit(filler.parent)
            await asyncio.to_thread(wait_until_free, filler.parent, free // 2)
            await client.create(late)
        finally:
            filler.unlink(missing_ok=True)
            for payload in (there, late):
                await client.delete(payload["uuid"])

    asyncio.run(story())
