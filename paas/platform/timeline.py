"""Steps and their milliseconds: what a push prints at its end, and what is noted of it."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """A step that is over."""

    name: str
    duration_ms: float


End = Callable[[float], None]
"""Notes that the step is over, and its milliseconds."""
Begin = Callable[[str], End]
"""Notes that a step begins. Neither waits: what has to survive a crash is recorded elsewhere."""


@dataclass
class Timeline:
    """The steps of one deploy, in the order of their ends.

    With `begin` each step is noted when it begins, and again when it is over.
    """

    begin: Begin | None = None
    steps: list[Step] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Time what is inside the `async with`; a step that raises is not among the steps."""
        end = self.begin(name) if self.begin else None
        started = time.perf_counter()
        yield
        duration_ms = (time.perf_counter() - started) * 1000
        self.steps.append(Step(name, duration_ms))
        if end:
            end(duration_ms)

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
