"""Host → app. Built whole from a table and then only read, so that a swap is one assignment.

Order: the exact domain; `<app>.<base>`; `<app>.<a-b-c-d>.sslip.io`; the longest wildcard.
Looking a host up costs the same with ten apps and with ten thousand.
"""

import re
from collections.abc import Mapping
from typing import Final

from router import table
from router.balance import App, Instance

_SSLIP: Final = re.compile(rb"([a-z0-9-]+)\.(?:[0-9]{1,3}-){3}[0-9]{1,3}\.sslip\.io")


class Routes:
    def __init__(self, version: int = 0) -> None:
        self.version = version
        self.apps: dict[str, App] = {}
        self.instances: dict[str, Instance] = {}
        self._hosts: dict[bytes, App] = {}
        self._wildcards: dict[bytes, App] = {}
        self._names: dict[bytes, App] = {}
        self.bases: frozenset[bytes] = frozenset()

    def find(self, host: bytes) -> App | None:
        """`host` in lower case, without port."""
        app = self._hosts.get(host)
        if app is not None:
            return app
        label, _, rest = host.partition(b".")
        if rest in self.bases:
            app = self._names.get(label)
            if app is not None:
                return app
        match = _SSLIP.fullmatch(host)
        if match is not None:
            app = self._names.get(match[1])
            if app is not None:
                return app
        return self._wildcard(rest) if self._wildcards else None

    def add(self, entry: table.App, app: App) -> None:
        self.apps[app.id] = app
        self.instances.update((instance.id, instance) for instance in app.instances)
        self._names[entry.name.encode()] = app
        for domain in entry.domains:
            name = domain.encode()
            if name.startswith(b"*."):
                self._wildcards[name[2:]] = app
            else:
                self._hosts[name] = app

    def _wildcard(self, suffix: bytes) -> App | None:
        while suffix:
            app = self._wildcards.get(suffix)
            if app is not None:
                return app
            suffix = suffix.partition(b".")[2]
        return None


def build(
    new: table.Table,
    old: Routes,
    row: int,
    slots: Mapping[str, Mapping[str, int]],
    down: frozenset[str],
    now: float,
) -> Routes:
    """The routes of a table, for the worker of `row`.

    Apps keep their queue and instances their pool from `old` where they stay the same. `slots` has
    the counters' slots by id, under `apps` and `instances`; `down` are machines noted down.
    """
    routes = Routes(new.version)
    routes.bases = frozenset(base.encode() for base in new.bases)
    for entry in new.apps:
        app = old.apps.get(entry.id)
        if app is None or app.slot != slots["apps"][entry.id]:
            app = App(entry.id, slots["apps"][entry.id], row)
        app.state = entry.state
        app.maintenance = entry.maintenance
        app.redirects = entry.https == "redirect"
        app.instances = tuple(
            _instance(each, old, row, slots["instances"][each.id], each.id not in down)
            for each in entry.instances
        )
        app.refresh(now)
        routes.add(entry, app)
    return routes


def _instance(entry: table.Instance, old: Routes, row: int, slot: int, up: bool) -> Instance:
    instance = old.instances.get(entry.id)
    if instance is None or instance.slot != slot or not instance.reached_like(entry):
        return Instance(entry, slot, row, up)
    instance.name = entry.name.encode()
    instance.up = up
    return instance
