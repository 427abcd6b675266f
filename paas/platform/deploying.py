"""Which pushes and builds run or wait, so that they can be seen, cancelled and told why."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(eq=False)
class Turn:
    """A build from its record to its end: it waits for its app, then it runs."""

    app_id: str
    build_id: str
    task: "asyncio.Task[Any]"
    waits: bool = True
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its place in the queue may have changed."""


class Deploying:
    """By app the pushes and builds that run or wait, and the apps of which nothing is deployed."""

    def __init__(self) -> None:
        self._tasks: dict[str, set[asyncio.Task[Any]]] = {}
        self._stopped: set[str] = set()
        self._turns: dict[str, Turn] = {}
        self._reasons: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
        self.printing: set[str] = set()
        """Ids of the builds whose output is still written, also after they have succeeded."""

    @property
    def apps(self) -> frozenset[str]:
        """Ids of those of which something is under way."""
        return frozenset(self._tasks)

    def add(self, app_id: str, task: asyncio.Task[Any]) -> None:
        """Remember a push or a build until it has ended."""
        tasks = self._tasks.setdefault(app_id, set())
        tasks.add(task)

        def ended(_: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if not tasks and self._tasks.get(app_id) is tasks:
                del self._tasks[app_id]

        task.add_done_callback(ended)

    def enter(self, app_id: str, build_id: str, task: "asyncio.Task[Any]") -> Turn:
        """A build joins the queue of its app, at the end; until `leave`."""
        turn = self._turns.setdefault(build_id, Turn(app_id, build_id, task))
        self._tell(app_id)
        return turn

    def leave(self, turn: Turn) -> None:
        if self._turns.pop(turn.build_id, None) is not None:
            self._tell(turn.app_id)

    def turn(self, build_id: str) -> Turn | None:
        return self._turns.get(build_id)

    def queue(self, app_id: str) -> list[Turn]:
        """In the order of their coming: the one that runs, and those that wait."""
        found = [turn for turn in self._turns.values() if turn.app_id == app_id]
        return sorted(found, key=lambda turn: turn.waits)

    def cancel(self, turn: Turn, reason: str) -> None:
        """As if the developer had pressed Ctrl-C; `reason` is what is recorded and told."""
        self._reasons.setdefault(turn.task, reason)
        turn.task.cancel()

    def reason(self, task: "asyncio.Task[Any] | None") -> str | None:
        """Why somebody else cancelled it; None where nobody did."""
        return None if task is None else self._reasons.get(task)

    def stop(self, app_id: str) -> None:
        """The app is being destroyed: nothing of it is deployed from now on.

        What is under way is cancelled, as if each developer had pressed Ctrl-C; what is switched
        already goes on to its end.
        """
        self._stopped.add(app_id)
        for task in list(self._tasks.get(app_id, ())):
            task.cancel()

    def resume(self, app_id: str) -> None:
        """The app was not destroyed after all."""
        self._stopped.discard(app_id)

    def is_stopped(self, app_id: str) -> bool:
        return app_id in self._stopped

    def _tell(self, app_id: str) -> None:
        for turn in self._turns.values():
            if turn.app_id == app_id:
                turn.moved.set()
