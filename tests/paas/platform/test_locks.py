"""Who may act on an app, and when."""

import asyncio

import pytest

from paas.platform.locks import Locks


def test_housekeeping_gives_way_to_whoever_wants_the_app() -> None:
    async def run() -> tuple[bool, list[str]]:
        lock, order, begun = Locks()["a"], list[str](), asyncio.Event()

        async def keep_house() -> bool:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                order.append("gave way")
            return True

        keeping = asyncio.create_task(lock.giving_way(keep_house()))
        await begun.wait()
        async with lock:
            order.append("pushed")
        return await keeping, order

    assert asyncio.run(run()) == (False, ["gave way", "pushed"])


def test_housekeeping_that_nobody_disturbs_says_what_it_did() -> None:
    async def run() -> tuple[bool, bool]:
        lock = Locks()["a"]

        async def keep_house() -> bool:
            return lock.locked()

        return await lock.giving_way(keep_house()), lock.locked()

    assert asyncio.run(run()) == (True, False)


def test_cancelled_housekeeping_has_ended_before_the_app_is_free() -> None:
    async def run() -> bool:
        lock, begun, ended = Locks()["a"], asyncio.Event(), False

        async def keep_house() -> bool:
            nonlocal ended
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended = lock.locked()
            return True

        keeping = asyncio.create_task(lock.giving_way(keep_house()))
        await begun.wait()
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        return ended and not lock.locked()

    assert asyncio.run(run())
