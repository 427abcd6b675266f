"""Recorded steps and their milliseconds: what a push prints at its end, and what a crash leaves."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """A step that is over."""

    name: str
    duration_ms: float


Begin = Callable[[str], Awaitable[int]]
"""Records that a step begins; its number."""
End = Callable[[int, float], Awaitable[None]]
"""Records that the step of this number is over, and its milliseconds."""


@dataclass
class Timeline:
    """The steps of one deploy, in the order of their ends.

    With `begin` and `end` each step is recorded before it is done and again after it.
    """

    begin: Begin | None = None
    end: End | None = None
    steps: list[Step] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Time what is inside the `async with`; a step that raises is not among the steps."""
        number = await self.begin(name) if self.begin else 0
        started = time.perf_counter()
        yield
        duration_ms = (time.perf_counter() - started) * 1000
        self.steps.append(Step(name, duration_ms))
        if self.end:
            await self.end(number, duration_ms)

    def add(self, name: str, duration_ms: float) -> None:
        """A step that was timed elsewhere."""
        self.steps.append(Step(name, duration_ms))

    @property
    def total_ms(self) -> float:
        return sum(step.duration_ms for step in self.steps)


def render(timeline: Timeline) -> str:
    """`receive 12 ms · checkout 80 ms · … = 640 ms`; steps of the same name are added up."""
    sums: dict[str, float] = {}
    for step in timeline.steps:
        sums[step.name] = sums.get(step.name, 0.0) + step.duration_ms
    parts = " · ".join(f"{name} {duration_ms:.0f}" for name, duration_ms in sums.items())
    return f"{parts} = {timeline.total_ms:.0f} ms"
