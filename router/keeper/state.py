"""What the keeper knows: the table in force, what the node noted, and the counters' slots."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.keeper import files
from router.keeper.files import FileError
from router.keeper.live import Reading
from router.keeper.metrics import AppFigures
from router.memory import counters
from router.table import route_table
from router.table.route_table import TableError


class State:
    """A table is on disk before any worker hears of it, and workers hear only what it changes."""

    def __init__(self, path: Path, shared: counters.Counters) -> None:
        self._path = path
        self._shared = shared
        self._entries: dict[str, dict[str, Any]] = {}
        self._changed: list[dict[str, Any]] = []
        self._removed: list[str] = []
        self.table = route_table.EMPTY
        self.down: set[str] = set()
        self.unhealthy: set[str] = set()
        self.instances: dict[str, int] = {}
        self.apps: dict[str, int] = {}
        self._owners: dict[str, str] = {}
        """The app of every instance that has a slot."""
        self._load()

    def _load(self) -> None:
        try:
            raw = files.load(self._path)
            if raw is not None:
                self._adopt(raw, route_table.read(raw))
        except (OSError, FileError, TableError) as error:
            print(f"paas-router: starting without a table: {error}", file=sys.stderr)

    def accept(self, raw: Any) -> bool:
        """Put a newer table in force; False when it is not newer. Raises TableError, OSError."""
        new = route_table.read(raw)
        if new.version <= self.table.version:
            return False
        self._check_room(new)
        files.save(self._path, raw)
        self._adopt(raw, new)
        return True

    def note(self, machine: str, up: bool) -> None:
        if up:
            self.down.discard(machine)
        else:
            self.down.add(machine)

    def judge(self, instance: str, healthy: bool) -> None:
        """A worker's checks found so."""
        if healthy:
            self.unhealthy.discard(instance)
        elif instance in self._checked():
            self.unhealthy.add(instance)

    def whole(self, rows: list[int]) -> dict[str, Any]:
        """The table in force, for a worker that knows none."""
        return self._message(list(self._entries.values()), [], rows)

    def change(self, rows: list[int]) -> dict[str, Any]:
        """What the table in force changed in the one before it."""
        return self._message(self._changed, self._removed, rows)

    def _message(
        self, changed: list[dict[str, Any]], removed: list[str], rows: list[int]
    ) -> dict[str, Any]:
        ids = [each["id"] for app in changed for each in app["instances"]]
        return {
            "type": "table",
            "version": self.table.version,
            "bases": self.table.bases,
            "changed": changed,
            "removed": removed,
            "slots": {
                "apps": {app["id"]: self.apps[app["id"]] for app in changed},
                "instances": {id: self.instances[id] for id in ids},
            },
            "down": [id for id in ids if id in self.down],
            "unhealthy": [id for id in ids if id in self.unhealthy],
            "rows": rows,
        }

    def figures(self, rows: list[int]) -> list[AppFigures]:
        """What the workers of these rows, and those that are gone, counted for the table's apps."""
        shared = self._shared
        return [
            AppFigures(
                app.id,
                app.name,
                shared.app(self.apps[app.id], rows),
                shared.histogram(self.apps[app.id], rows),
                {each.name: shared.in_flight(self.instances[each.id]) for each in app.instances},
                [each.name for each in app.instances if each.id in self.unhealthy],
            )
            for app in self.table.apps
        ]

    def readings(self, rows: list[int]) -> list[Reading]:
        """What live counts are made of, for the table's apps."""
        first_cells = [counters.instance_cell(row, 0) for row in rows]
        return [self._reading(app, rows, first_cells) for app in self.table.apps]

    def histogram(self, slot: int, rows: list[int]) -> Sequence[int]:
        return self._shared.histogram(slot, rows)

    def _reading(self, app: route_table.App, rows: list[int], first_cells: list[int]) -> Reading:
        shared, slot = self._shared, self.apps[app.id]
        requests, server_errors = shared.requests(slot, rows)
        instances = [self.instances[each.id] for each in app.instances]
        return Reading(
            app.id,
            slot,
            requests,
            server_errors,
            sum(shared.in_flight(each, rows) for each in instances),
            shared.queued(slot, first_cells),
        )

    def asleep(self, rows: list[int]) -> list[str]:
        """The apps that sleep though requests wait for them."""
        first_cells = [counters.instance_cell(row, 0) for row in rows]
        return [
            app.id
            for app in self.table.apps
            if app.state == "asleep" and self._shared.queued(self.apps[app.id], first_cells)
        ]

    def changed_apps(self) -> set[str]:
        """What the table in force changed in the one before it."""
        return {app["id"] for app in self._changed} | set(self._removed)

    def has_instance(self, id: str) -> bool:
        return id in self._instance_ids()

    def _check_room(self, new: route_table.Table) -> None:
        apps = self.apps.keys() | {app.id for app in new.apps}
        if len(apps) > counters.APPS_MAX:
            raise TableError(f"more than {counters.APPS_MAX} apps, old and new")
        instances = self.instances.keys() | {each.id for app in new.apps for each in app.instances}
        if len(instances) > counters.INSTANCES_MAX:
            raise TableError(f"more than {counters.INSTANCES_MAX} instances, old and new")

    def _adopt(self, raw: dict[str, Any], new: route_table.Table) -> None:
        entries = {app["id"]: app for app in raw["apps"]}
        self._changed = [app for id, app in entries.items() if self._entries.get(id) != app]
        self._removed = [id for id in self._entries if id not in entries]
        self._entries, self.table = entries, new
        _give_slots(self.apps, {app.id for app in new.apps})
        _give_slots(self.instances, self._instance_ids())
        self._owners |= {each.id: app.id for app in new.apps for each in app.instances}
        self.unhealthy &= self._checked()

    def release_slots(self) -> None:
        """Free the slots of what is gone. Only when all workers obey the table in force.

        Earlier, a worker could still count a request for an instance whose slot another has by now.
        """
        for id in self.instances.keys() - self._instance_ids():
            if not self._shared.in_flight(self.instances[id]):
                del self.instances[id], self._owners[id]
        # What is still in flight to an app that is gone is counted for it when it ends.
        kept = {app.id for app in self.table.apps} | set(self._owners.values())
        for id in self.apps.keys() - kept:
            self._shared.clear_app(self.apps.pop(id))
        self.down &= self.instances.keys()

    def _checked(self) -> set[str]:
        """The instances of apps that ask for checks."""
        checked = (app for app in self.table.apps if app.routing.health_path)
        return {each.id for app in checked for each in app.instances}

    def _instance_ids(self) -> set[str]:
        return {each.id for app in self.table.apps for each in app.instances}


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
