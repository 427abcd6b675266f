"""The timeline of a push: what was timed, what is recorded, what is printed."""

import asyncio

import pytest

from paas.platform.timeline import End, Timeline, render


def test_steps_are_noted_before_and_after_they_are_done() -> None:
    told: list[str] = []

    def begin(name: str) -> End:
        told.append(f"begin {name}")

        def end(duration_ms: float) -> None:
            assert duration_ms >= 0
            told.append(f"end {name}")

        return end

    async def story() -> Timeline:
        timeline = Timeline(begin)
        async with timeline.step("build"):
            told.append("work")
        return timeline

    timeline = asyncio.run(story())
    assert told == ["begin build", "work", "end build"]
    assert [step.name for step in timeline.steps] == ["build"]


def test_a_step_that_fails_has_begun_and_not_ended() -> None:
    async def story(timeline: Timeline) -> None:
        async with timeline.step("build"):
            raise ValueError

    timeline = Timeline()
    with pytest.raises(ValueError):
        asyncio.run(story(timeline))
    assert timeline.steps == []


def test_steps_of_one_name_are_added_up_where_they_first_stood() -> None:
    timeline = Timeline()
    for name, duration_ms in (("snapshot", 10), ("prune", 5.4), ("snapshot", 20.2)):
        timeline.add(name, duration_ms)
    assert render(timeline) == "snapshot 30 · prune 5 = 36 ms"
