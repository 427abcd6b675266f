"""Watches the pool and the disk below it, so that neither is ever quite full.

What machines may still write is what is free beyond the reserve, whoever else fills the disk; at
the reserve they get "disk quota exceeded", new machines and images are refused (`check_space`), and
reading, restarting and deleting go on. What a full or failing pool refused is made good when it can
be written again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from paas.node.pools.interface import Pool, reserve_bytes

log = logging.getLogger(__name__)
_MIB = 1024 * 1024
_FASTEST_BYTES_S = 2048 * _MIB
"""No disk that a server has is filled faster than this."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.25, 5.0
_NEAR_BYTES = 4096 * _MIB
_STEP_BYTES = 64 * _MIB
"""A limit that is off by less is left alone: each new one is a transaction of the file system."""


@dataclass
class Watched:
    """What was found and set last; `spare_bytes` is None before."""

    free_bytes: int = 0
    spare_bytes: int | None = None
    writable: bool = True


def spare_bytes(size_bytes: int, free_bytes: int) -> int:
    """What machines may still write. Pure."""
    return max(0, free_bytes - reserve_bytes(size_bytes))


def pause_s(spare: int) -> float:
    """How long nothing can go wrong. Pure."""
    return min(max(spare / _FASTEST_BYTES_S, PAUSE_MIN_S), PAUSE_MAX_S)


def must_set(before: int | None, spare: int) -> bool:
    """Whether the limit has to follow: always at the end, else when it is off by much. Pure."""
    if before is None or (spare == 0) != (before == 0):
        return True
    return abs(spare - before) >= min(_STEP_BYTES, max(spare // 4, 4096))


async def watch(
    pool: Pool, needs_mending: Callable[[], bool], mend: Callable[[], Awaitable[None]]
) -> None:
    """For ever. An error of the pool is said once, and looked at again."""
    known, said = Watched(), ""
    while True:
        try:
            if pool.is_present():
                await look(pool, known)
                if known.writable and needs_mending():
                    await mend()
            said = ""
        except OSError as error:
            if str(error) != said:
                said = str(error)
                log.error("the pool zones (%s): %s", pool.root, error)
        await asyncio.sleep(pause_s(known.spare_bytes or 0))


async def look(pool: Pool, known: Watched) -> None:
    """Once. Raises OSError."""
    writable = pool.is_writable()
    if writable != known.writable:
        known.writable = writable
        log.error(
            "the pool zones (%s) is %s", pool.root, "writable again" if writable else "read-only"
        )
    if not writable:
        return
    space = pool.space()
    spare, before = spare_bytes(space.size_bytes, space.free_bytes), known.spare_bytes
    if must_set(before, spare):
        if spare < _NEAR_BYTES:
            # What was written a moment ago is counted at the next commit only.
            # (On a full disk that fails, and then counts for nothing.)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(pool.settle)
            space = pool.space()
            spare = spare_bytes(space.size_bytes, space.free_bytes)
        await asyncio.to_thread(pool.hold_back, spare)
        known.spare_bytes = spare
        if (before is None or before > 0) and spare == 0:
            log.error(
                "the pool zones (%s) has %d MiB free, which are its reserve: machines can write "
                "nothing more",
                pool.root,
                space.free_bytes // _MIB,
            )
        elif before == 0:
            log.warning("the pool zones (%s): machines can write again", pool.root)
    # Last, because a disk that is full already refuses it.
    await asyncio.to_thread(pool.secure)
