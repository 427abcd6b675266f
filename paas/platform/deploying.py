"""Which pushes and builds are under way, so that an app's end is theirs."""

import asyncio
from typing import Any


class Deploying:
    """By app the pushes and builds that run or wait, and the apps of which nothing is deployed."""

    def __init__(self) -> None:
        self._tasks: dict[str, set[asyncio.Task[Any]]] = {}
        self._stopped: set[str] = set()
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
