"""What becomes of work that nobody waits for."""

import asyncio
import logging

import pytest

from paas.platform import background as module
from paas.platform.background import Background


def test_what_fails_is_logged_under_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError("a fault")

    async def story() -> None:
        background = Background()
        background.start(fail(), "the sweep")
        (task,) = background._tasks
        await asyncio.wait({task})
        await asyncio.sleep(0)
        assert not background._tasks

    caplog.set_level(logging.ERROR)
    asyncio.run(story())
    assert "the sweep failed" in caplog.text and "a fault" in caplog.text


def test_a_failure_that_somebody_waits_for_is_theirs_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise KeyError("a fault")

    async def story() -> None:
        background = Background()
        task = asyncio.create_task(fail())
        background.hold(task)
        with pytest.raises(KeyError):
            await task

    caplog.set_level(logging.ERROR)
    asyncio.run(story())
    assert caplog.text == ""


def test_what_goes_on_is_not_started_again_and_what_is_over_is() -> None:
    async def story() -> list[str]:
        background, begun, go = Background(), list[str](), asyncio.Event()

        async def work() -> None:
            begun.append("work")
            await go.wait()

        for _ in range(2):
            background.start_once("a", work, "work")
            await asyncio.sleep(0)
        assert background.under_way == {"a"}
        go.set()
        (task,) = background._tasks
        await task
        background.start_once("a", work, "work")
        await asyncio.sleep(0)
        await background.cancel()
        return begun

    assert asyncio.run(story()) == ["work", "work"]


def test_at_the_end_all_is_cancelled_and_waited_for() -> None:
    async def story() -> list[str]:
        background, ended = Background(), list[str]()

        async def work(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        background.start(work("unwatched"), "unwatched")
        background.hold(asyncio.create_task(work("watched")))
        await asyncio.sleep(0)
        await background.cancel()
        return sorted(ended)

    assert asyncio.run(story()) == ["unwatched", "watched"]


def test_what_is_kept_up_is_started_again_when_it_fails_and_not_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FAILED_PAUSE_S", 0.0)
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise KeyError("a fault of ours")

    async def story() -> None:
        background = Background()
        background.keep_up(work, "the work")
        await asyncio.wait(background._tasks)

    caplog.set_level(logging.ERROR)
    asyncio.run(story())
    assert len(tries) == 3
    assert caplog.text.count("the work failed") == 2
