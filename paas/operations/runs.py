"""One-off runs, and what is done inside instances: commands, connections to ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from paas.apps import runs as rules
from paas.apps.apps import App
from paas.apps.instances import Instance, InstanceState, InstanceStatus
from paas.apps.runs import Run, Wanted
from paas.errors import NotFound, UserError
from paas.node import words
from paas.platform.platform import Platform
from paas.runs import inside, one_off
from paas.runs.session import Process
from paas.store import instances, releases, runs


@dataclass(frozen=True)
class Runs:
    platform: Platform

    async def all(self, app: App) -> list[InstanceStatus]:
        """As instances of the type `run`."""
        found = await self.platform.database.run(runs.for_app, app.id)
        return [self._status(run) for run in found]

    async def start(
        self, app: App, wanted: Wanted, user: str, type: str = ""
    ) -> tuple[InstanceStatus, str | None]:
        """The run, and the secret with which one attaches to it. Raises UserError."""
        started = await one_off.start(self.platform, app, wanted, user, type)
        offer = started.offer
        return self._status(started.run), offer.secret if offer else None

    async def stop(self, app: App, name: str | None = None) -> None:
        """The one of that name or id, those of a type (`run`), or all. Raises NotFound."""
        found = await self.platform.database.run(runs.for_app, app.id)
        chosen = [run for run in found if name in (None, run.name, run.machine_uuid, run.type)]
        if not chosen:
            raise NotFound(f"{app.name} has no {name or 'run'} that runs.", "`paas ps` lists them.")
        for run in chosen:
            one_off.stop(self.platform, run)

    async def execute(
        self, app: App, name: str, command: str, user: str, *, size: tuple[int, int] | None,
        environment: dict[str, str],
    ) -> tuple[InstanceStatus, str]:  # fmt: skip
        """Run a command in an instance, or a shell; the secret to attach with. Raises UserError."""
        status, machine = await self._inside(app, name)
        argv = rules.shell(command) if command else inside.shell()
        folder = str(machine["internal_metadata"].get(words.FOLDER, "/app"))
        process = Process(status.instance.machine_uuid, argv, folder, size, environment)
        named = status.instance.name
        offer = inside.execute(self.platform, app, named, process, command or "bash", user)
        return status, offer.secret

    async def forward(self, app: App, name: str, port: int) -> str:
        """The secret of a connection to a port inside an instance. Raises UserError."""
        status, _ = await self._inside(app, name)
        instance = status.instance
        return inside.forward(self.platform, app, instance.name, instance.machine_uuid, port).secret

    async def _inside(self, app: App, name: str) -> tuple[InstanceStatus, Any]:
        """The instance or run of that name, which must be running, and its machine."""
        found = [*await self.platform.database.run(_instances, app.id), *await self.all(app)]
        for status in found:
            if name in (status.instance.name, status.instance.machine_uuid):
                machine = self.platform.machines.known.get(status.instance.machine_uuid)
                if machine is None or machine["state"] != "running":
                    message = f"{status.instance.name} does not run at the moment."
                    raise UserError("conflict", message, "`paas ps` says how it is.")
                return status, machine
        raise NotFound(f"{app.name} has no instance {name!r:.40}.", "`paas ps` lists them.")

    def _status(self, run: Run) -> InstanceStatus:
        machine = self.platform.machines.known.get(run.machine_uuid)
        is_up = machine is not None and machine["state"] == "running"
        state = InstanceState.UP if is_up else InstanceState.STARTING
        instance = _as_instance(run)
        return InstanceStatus(instance, state, run.created_at, run.command, run.package, machine)


def _as_instance(run: Run) -> Instance:
    return Instance(
        run.machine_uuid, run.app_id, run.release_version, run.type, run.number, run.created_at
    )


def _instances(connection: Connection, app_id: str) -> Sequence[InstanceStatus]:
    """Those of the current release."""
    release = releases.current(connection, app_id)
    return [
        InstanceStatus(item, InstanceState.UP, item.created_at, "", "")
        for item in instances.for_app(connection, app_id)
        if release is not None and item.release_version == release.version
    ]
