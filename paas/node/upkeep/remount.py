"""A pool that gave up writing, mounted anew: for the node's start, before anything uses the pool.

A btrfs that could not write its metadata (its disk was full, or failed for a moment) is read-only
until its last mount is gone, and every zone that runs has one. So the zones are ended; they boot
again when the node adopts them.
"""

import asyncio
import os
import time
from pathlib import Path

from paas.node import pools
from paas.node.machines.host import Host
from paas.node.machines.records import Records
from paas.node.pools import sparse_file
from paas.node.pools.btrfs import BtrfsPool
from paas.node.upkeep.sweep import sweep
from paas.settings import Settings

_UNMOUNT_TIMEOUT_S = 30.0
_PAUSE_S = 0.25


def gave_up(settings: Settings) -> bool:
    """Whether the pool is mounted and read-only."""
    mount = settings.pool_mount
    if settings.pool_device and not Path(settings.pool_device).is_block_device():
        return False
    if not mount.is_dir() or not sparse_file.is_mounted(mount):
        return False
    return bool(os.statvfs(mount).f_flag & os.ST_RDONLY)


async def remount(settings: Settings) -> list[str]:
    """What was done; nothing where the pool can be written. Raises PoolError when it stays busy.

    It is unmounted only: who opens the pool mounts it.
    """
    if not await asyncio.to_thread(gave_up, settings):
        return []
    pool = BtrfsPool(settings.pool_mount, settings.pool_file, opens=False)
    host = Host(settings, pool, Records(pool.root), (), "", lambda _old, _new: None)
    done = await sweep(host, ())
    deadline_s = time.monotonic() + _UNMOUNT_TIMEOUT_S
    while not await asyncio.to_thread(_closed, settings):
        # Processes that were killed let go of their mounts in their own time.
        if time.monotonic() > deadline_s:
            text = f"the pool {settings.pool_mount} is read-only, and something still holds it"
            raise pools.PoolError(text, "Stop the platform (paas down), or restart this server.")
        await asyncio.sleep(_PAUSE_S)
    return [*done, f"unmounted the pool {settings.pool_mount}, which had become read-only"]


def _closed(settings: Settings) -> bool:
    """Unmounted, and nobody else has a mount of it: only then does it forget its error."""
    try:
        pools.close_pool(settings)
    except pools.PoolError:
        return False
    file = settings.pool_file
    return bool(settings.pool_device) or not file.exists() or not sparse_file.is_held(file)
