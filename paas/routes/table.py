"""The router's table, as docs/contracts/router.md describes it: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paas.apps import routing
from paas.apps.apps import App
from paas.apps.instances import Instance
from paas.apps.processes import PORT, WEB
from paas.apps.releases import Release
from paas.routes import hooks
from paas.settings import Settings

Machine = Mapping[str, Any]


@dataclass(frozen=True)
class Routed:
    """What routing has to know of one app. `release` is the current one; None before the first."""

    app: App
    domains: Sequence[str]
    release: Release | None
    instances: Sequence[Instance]


def table(
    settings: Settings,
    version: int,
    apps: Iterable[Routed],
    machines: Mapping[str, Machine],
    *,
    has_hooks: bool = False,
) -> dict[str, Any]:
    """The whole table; `machines` maps the uuid of each machine that runs to its object.
    `has_hooks`: git hosts tell of pushes."""
    further = [hooks.route(settings)] if has_hooks else []
    return {
        "version": version,
        "bases": list(settings.base_domains),
        "apps": [*(_app(settings, routed, machines) for routed in apps), *further],
    }


def target(settings: Settings, machine: Machine) -> dict[str, Any] | None:
    """How the router reaches a machine, or None while nothing listens there.

    One that served and is started again after a crash stays where it was: the router hears from the
    node that it is down, and lets requests wait for it.
    """
    if machine.get("state") != "running" and not machine.get("restarting"):
        return None
    how = machine.get("listening") or machine.get("listened")
    if how == "unix":
        return {"unix": str(settings.machines_run / machine["uuid"] / "web.sock")}
    if how == "tcp":
        return {"tcp": [machine["nics"][0]["ip"], PORT]}
    return None


def _app(settings: Settings, routed: Routed, machines: Mapping[str, Machine]) -> dict[str, Any]:
    web = [instance for instance in routed.instances if _serves(routed, instance)]
    reached = [
        {
            "id": instance.machine_uuid,
            "name": instance.name,
            "target": found,
            "release": instance.release_version,
        }
        for instance in web
        if (found := target(settings, machines.get(instance.machine_uuid, {})))
    ]
    return {
        "id": routed.app.id,
        "name": routed.app.name,
        "domains": list(routed.domains),
        "maintenance": routed.app.maintenance,
        "state": _state(routed, web, reached, machines),
        "instances": reached,
        **_settings(routed),
    }


def _settings(routed: Routed) -> dict[str, Any]:
    release = routed.release
    if release is None:
        return routing.routed(routed.app.routing, {})
    return routing.routed(routed.app.routing, release.config, release.health_path)


def _serves(routed: Routed, instance: Instance) -> bool:
    release = routed.release
    return (
        release is not None and instance.type == WEB and instance.release_version == release.version
    )


def _state(
    routed: Routed,
    web: list[Instance],
    reached: list[dict[str, Any]],
    machines: Mapping[str, Machine],
) -> str:
    """`asleep` lets requests wait for the first instance that listens."""
    if routed.release is None or routed.release.image_uuid is None:
        return "blank"
    if reached or not web:
        return "live"
    boots = any(_boots(machines.get(instance.machine_uuid, {})) for instance in web)
    return "asleep" if boots else "crashed"


def _boots(machine: Machine) -> bool:
    """It starts, or is about to, as after a reboot of the server; not because its process ended.

    The healer starts what is stopped, however often it was started again before that.
    """
    if machine.get("restarting"):
        return False
    if machine.get("state") == "running":
        return not machine.get("init_restarts")
    return machine.get("state") in ("provisioning", "stopped")
