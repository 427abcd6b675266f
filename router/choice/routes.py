"""Host → app. Never changed: a new table makes new routes, so that a swap is one assignment.

Order: the exact domain; `<app>.<base>`; `<app>.<a-b-c-d>.sslip.io`; the longest wildcard.
Looking a host up costs the same with ten apps and with ten thousand, and a new table costs little
more than what differs in it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from router.choice.apps import App
from router.choice.instances import Instance
from router.memory.limits import DEFAULTS, Limits
from router.table import route_table

_SSLIP: Final = re.compile(rb"([a-z0-9-]+)\.(?:[0-9]{1,3}-){3}[0-9]{1,3}\.sslip\.io")


@dataclass(frozen=True, slots=True)
class Change:
    """What a table changes: `removed` are app ids; `slots` the counters' slots of the changed, by
    id, under `apps` and `instances`; `down` machines that the node noted down; `unhealthy` those
    that failed their checks."""

    version: int
    bases: Sequence[str]
    changed: Sequence[route_table.App]
    removed: Iterable[str]
    slots: Mapping[str, Mapping[str, int]]
    down: frozenset[str]
    unhealthy: frozenset[str] = frozenset()


class Routes:
    def __init__(self, old: "Routes | None" = None) -> None:
        self.version: int = old.version if old else 0
        self.apps: dict[str, App] = dict(old.apps) if old else {}
        self.instances: dict[str, Instance] = dict(old.instances) if old else {}
        self.checked: dict[str, App] = dict(old.checked) if old else {}
        self._entries: dict[str, route_table.App] = dict(old._entries) if old else {}
        self._hosts: dict[bytes, App] = dict(old._hosts) if old else {}
        self._wildcards: dict[bytes, App] = dict(old._wildcards) if old else {}
        self._names: dict[bytes, App] = dict(old._names) if old else {}
        self._bases: frozenset[bytes] = old._bases if old else frozenset()

    def changed(self, change: Change, row: int, now: float, limits: Limits = DEFAULTS) -> "Routes":
        """The routes after a change, for the worker of `row`, whose limits are the defaults.

        Apps keep their queue and instances their pool where they stay the same.
        """
        routes = Routes(self)
        routes.version = change.version
        routes._bases = frozenset(base.encode() for base in change.bases)
        for id in (*change.removed, *(entry.id for entry in change.changed)):
            routes._remove(id)
        for entry in change.changed:
            slot = change.slots["apps"][entry.id]
            app = self.apps.get(entry.id)
            if app is None or app.slot != slot:
                app = App(entry.id, slot, row)
            instances = [
                _instance(each, app.id, self.instances.get(each.id), change, row)
                for each in entry.instances
            ]
            app.prepare(entry, instances, limits, now)
            routes._add(entry, app)
        return routes

    def owner(self, instance: str) -> App | None:
        """The app of an instance."""
        found = self.instances.get(instance)
        return None if found is None else self.apps.get(found.app)

    def find(self, host: bytes) -> App | None:
        """`host` in lower case, without port."""
        app = self._hosts.get(host)
        if app is not None:
            return app
        label, _, rest = host.partition(b".")
        if rest in self._bases:
            app = self._names.get(label)
            if app is not None:
                return app
        match = _SSLIP.fullmatch(host)
        if match is not None:
            app = self._names.get(match[1])
            if app is not None:
                return app
        return self._wildcard(rest) if self._wildcards else None

    def _add(self, entry: route_table.App, app: App) -> None:
        self.apps[app.id] = app
        self._entries[app.id] = entry
        if app.check:
            self.checked[app.id] = app
        self.instances.update((instance.id, instance) for instance in app.instances)
        self._names[entry.name.encode()] = app
        for domain in entry.domains:
            name = domain.encode()
            if name.startswith(b"*."):
                self._wildcards[name[2:]] = app
            else:
                self._hosts[name] = app

    def _remove(self, id: str) -> None:
        entry = self._entries.pop(id, None)
        if entry is None:
            return
        del self.apps[id]
        self.checked.pop(id, None)
        for instance in entry.instances:
            del self.instances[instance.id]
        del self._names[entry.name.encode()]
        for domain in entry.domains:
            name = domain.encode()
            if name.startswith(b"*."):
                del self._wildcards[name[2:]]
            else:
                del self._hosts[name]

    def _wildcard(self, suffix: bytes) -> App | None:
        while suffix:
            app = self._wildcards.get(suffix)
            if app is not None:
                return app
            suffix = suffix.partition(b".")[2]
        return None


def _instance(
    entry: route_table.Instance, app: str, known: Instance | None, change: Change, row: int
) -> Instance:
    slot = change.slots["instances"][entry.id]
    up = entry.id not in change.down
    if known is None or known.slot != slot or not known.reached_like(entry):
        known = Instance(entry, slot, row, up)
    known.app = app
    known.name = entry.name.encode()
    known.release = entry.release
    known.up = up
    known.healthy = entry.id not in change.unhealthy
    return known
