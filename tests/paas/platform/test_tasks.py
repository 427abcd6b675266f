"""Work that several wait for, and work that is final."""

import asyncio

import pytest

from paas.platform.tasks import all_of, to_the_end


def test_work_that_is_final_ends_before_its_canceller_knows() -> None:
    async def story() -> None:
        done = asyncio.Event()

        async def work() -> int:
            await asyncio.sleep(0.01)
            done.set()
            return 7

        task = asyncio.create_task(to_the_end(work()))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == 7
        assert done.is_set()

    asyncio.run(story())


def test_the_first_failure_ends_all_the_others() -> None:
    async def story() -> list[str]:
        ended: list[str] = []

        async def fail() -> None:
            await asyncio.sleep(0)
            raise KeyError("a fault")

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        with pytest.raises(KeyError):
            await all_of([wait(), fail(), wait()])
        return ended

    assert asyncio.run(story()) == ["cancelled", "cancelled"]
