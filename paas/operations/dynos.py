"""Instances, which Heroku calls dynos: how they are, restart, stop."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from paas.apps.apps import App
from paas.apps.formation import Formation
from paas.apps.instances import Instance, InstanceState, InstanceStatus
from paas.apps.releases import Release
from paas.errors import NotFound, PlatformError
from paas.node import words
from paas.operations.alone import alone
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.provisioner.switch import replace
from paas.store import formation, instances, releases

ROUTER_ASKED_S = 3.0


@dataclass(frozen=True)
class Dynos:
    platform: Platform

    async def all(self, app: App) -> list[InstanceStatus]:
        """Those of the current release."""
        found, release, entries = await self.platform.database.run(_present, app.id)
        sizes = {entry.type: entry.package for entry in entries}
        machines = self.platform.machines.known
        statuses = [
            _status(item, release, sizes.get(item.type, ""), machines.get(item.machine_uuid))
            for item in found
            if release is not None and item.release_version == release.version
        ]
        failing = await _failing(self.platform, app, release)
        return [
            dataclasses.replace(status, fails_checks=status.instance.name in failing)
            for status in statuses
        ]

    async def restart(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        """All, those of a type, or the one of that name. Raises NotFound."""
        await alone(self.platform, app, _restart(self.platform, app, type, name))

    async def stop(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        """The formation says what runs, so what is stopped comes back: Heroku's meaning."""
        await self.restart(app, type=type, name=name)


async def _restart(platform: Platform, app: App, type: str | None, name: str | None) -> None:
    found, release, _ = await platform.database.run(_present, app.id)
    chosen = [item for item in found if type in (None, item.type) and name in (None, item.name)]
    if not chosen or release is None:
        what = name or type or "instance"
        raise NotFound(f"{app.name} has no {what} that runs.", "`paas ps` lists what runs.")
    await replace(platform, app, release, chosen, Timeline())


async def _failing(platform: Platform, app: App, release: Release | None) -> Sequence[str]:
    """Instances whose health checks fail. Without checks, or a router, none is known."""
    if not (app.routing.get("health_path") or (release and release.health_path)):
        return ()
    try:
        async with asyncio.timeout(ROUTER_ASKED_S):
            status = await platform.router.status()
    except (PlatformError, TimeoutError):
        return ()
    found: list[str] = status["apps"].get(app.id, {}).get("unhealthy", [])
    return found


def _present(
    connection: Connection, app_id: str
) -> tuple[list[Instance], Release | None, Formation]:
    return (
        instances.for_app(connection, app_id),
        releases.current(connection, app_id),
        formation.get(connection, app_id),
    )


def _status(
    instance: Instance, release: Release, size: str, machine: Mapping[str, Any] | None
) -> InstanceStatus:
    state, since = _state(instance, machine)
    command = release.processes.get(instance.type, "")
    runtime = release.runtime(instance.type)
    return InstanceStatus(instance, state, since, command, size, machine, runtime=runtime)


def _state(instance: Instance, machine: Mapping[str, Any] | None) -> tuple[InstanceState, datetime]:
    """`since` is when the machine booted, ended or was asked for."""
    if machine is None:
        return InstanceState.STARTING, instance.created_at
    if machine["state"] == "running":
        web = words.PORT in machine.get("internal_metadata", {})
        up = machine.get("listening") or not web
        since = _moment(machine.get("boot_timestamp"), instance.created_at)
        return (InstanceState.UP if up else InstanceState.STARTING), since
    if machine["state"] in ("stopped", "failed"):
        return InstanceState.CRASHED, _moment(machine.get("exit_timestamp"), instance.created_at)
    return InstanceState.STARTING, instance.created_at


def _moment(text: str | None, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else otherwise
