"""What the keeper knows: the table in force, what the node noted, and the counters' slots."""

import sys
from pathlib import Path
from typing import Any

from router import counters, table
from router.table import TableError


class State:
    """`raw` is the table as control sent it. It is on disk before any worker hears of it."""

    def __init__(self, path: Path, shared: counters.Counters) -> None:
        self._path = path
        self._shared = shared
        self.raw: dict[str, Any] | None = None
        self.table = table.EMPTY
        self.down: set[str] = set()
        self.instances: dict[str, int] = {}
        self.apps: dict[str, int] = {}
        self._load()

    def _load(self) -> None:
        try:
            raw = table.load(self._path)
            if raw is not None:
                self._adopt(raw, table.read(raw))
        except (OSError, TableError) as error:
            print(f"paas-router: starting without a table: {error}", file=sys.stderr)

    def accept(self, raw: Any) -> bool:
        """Put a newer table in force; False when it is not newer. Raises TableError, OSError."""
        new = table.read(raw)
        if new.version <= self.table.version:
            return False
        self._check_room(new)
        table.save(self._path, raw)
        self._adopt(raw, new)
        return True

    def note(self, machine: str, up: bool) -> None:
        if up:
            self.down.discard(machine)
        else:
            self.down.add(machine)

    def message(self, rows: list[int]) -> dict[str, Any]:
        """The table for a worker."""
        return {
            "type": "table",
            "table": self.raw,
            "slots": {"instances": self.instances, "apps": self.apps},
            "down": sorted(self.down & self.instances.keys()),
            "rows": rows,
        }

    def totals(self) -> dict[str, dict[str, int]]:
        """Counters by app id."""
        return {id: self._shared.app(slot) for id, slot in self.apps.items()}

    def has_instance(self, id: str) -> bool:
        return any(each.id == id for app in self.table.apps for each in app.instances)

    def _check_room(self, new: table.Table) -> None:
        if len(new.apps) > counters.APPS_MAX:
            raise TableError(f"more than {counters.APPS_MAX} apps")
        if sum(len(app.instances) for app in new.apps) > counters.INSTANCES_MAX // 2:
            raise TableError(f"more than {counters.INSTANCES_MAX // 2} instances")

    def _adopt(self, raw: dict[str, Any], new: table.Table) -> None:
        apps = {app.id for app in new.apps}
        instances = {each.id for app in new.apps for each in app.instances}
        for id in self.apps.keys() - apps:
            self._shared.clear_app(self.apps.pop(id))
        for id in self.instances.keys() - instances:
            if not self._shared.in_flight(self.instances[id]):
                del self.instances[id]
        _give_slots(self.apps, apps)
        _give_slots(self.instances, instances)
        self.raw, self.table = raw, new


def _give_slots(taken: dict[str, int], ids: set[str]) -> None:
    """The lowest free slots for the ids that have none."""
    wanting = sorted(ids - taken.keys())
    used = set(taken.values())
    slot = 0
    for id in wanting:
        while slot in used:
            slot += 1
        used.add(slot)
        taken[id] = slot
