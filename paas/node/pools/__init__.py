"""Pools: where datasets, snapshots and clones live, with ZFS's words, on what the host has.

`open_pool` chooses the driver; `interface.Pool` is what every driver does.
"""

from pathlib import Path

from paas.node.pools.interface import (
    DatasetNotFound,
    NoSpace,
    Pool,
    PoolError,
    PoolUnavailable,
    Space,
)
from paas.settings import Settings

READ_ONLY_REMEDY = (
    "See that its disk has room and is sound (df, dmesg); then `paas down` and `paas up -d` mount "
    "it anew. What was written before is still there."
)
__all__ = [
    "READ_ONLY_REMEDY",
    "DatasetNotFound",
    "NoSpace",
    "Pool",
    "PoolError",
    "PoolUnavailable",
    "Space",
    "close_pool",
    "ensure",
    "open_pool",
]


def open_pool(settings: Settings, *, makes: bool = True) -> Pool:
    """The installation's pool, made and mounted if it was not. Needs root; raises PoolError.

    `pool_device` names a block device (btrfs) or a folder (plain, no quotas); otherwise the pool
    is a sparse file in the state folder. Safe to call again, by several processes, and after a
    reboot. Not `makes`: a pool that is not there is an error, and none is made in its place.
    """
    from paas.node.pools import sparse_file
    from paas.node.pools.btrfs import BtrfsPool
    from paas.node.pools.dir import DirPool

    if not settings.pool_device:
        sparse_file.open_file(
            settings.pool_file, settings.pool_mount, settings.pool_bytes, makes=makes
        )
        return BtrfsPool(settings.pool_mount, settings.pool_file)
    place = Path(settings.pool_device)
    if place.is_block_device():
        sparse_file.open_device(place, settings.pool_mount, makes=makes)
        return BtrfsPool(settings.pool_mount)
    if place.is_dir():
        if not makes and not (place / "zones").is_dir():
            raise PoolError(f"its folder {place / 'zones'} is not there")
        return DirPool(place / "zones")
    raise PoolError(
        f"pool_device is {place}, which is neither a block device nor a folder",
        "Correct it, or leave it out to keep the pool in a file.",
    )


def ensure(settings: Settings, pool: Pool) -> None:
    """The pool stands where it did when it was opened: mounted again if it was taken away.

    Raises PoolUnavailable, also when its file is gone: that may be brought back, and an empty pool
    in its place would have nothing of the machines that run. Costs two stat(2); for everything that
    reads or changes datasets, which would otherwise take an empty folder for a pool without
    machines.
    """
    if pool.is_present():
        if not pool.is_writable():
            raise PoolUnavailable(
                f"the pool zones ({pool.root}) is read-only: its disk was full, or fails",
                READ_ONLY_REMEDY,
            )
        return
    try:
        open_pool(settings, makes=False)
    except (PoolError, OSError) as error:
        reason = error.message if isinstance(error, PoolError) else str(error)
        raise PoolUnavailable(
            f"the pool zones ({pool.root}) is gone: {reason}",
            "Bring its device or file back; what stood on it is not lost.",
        ) from error
    if not pool.is_present():
        raise PoolUnavailable(
            f"the pool zones ({pool.root}) is gone",
            "Bring its device or file back; what stood on it is not lost.",
        )


def close_pool(settings: Settings) -> None:
    """Unmount the pool; everything in it stays. Fails while a machine uses it."""
    from paas.node.pools import sparse_file

    if not settings.pool_device:
        sparse_file.close(settings.pool_mount, settings.pool_file)
    elif Path(settings.pool_device).is_block_device():
        sparse_file.close(settings.pool_mount)
