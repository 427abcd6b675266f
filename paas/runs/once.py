"""Runs a command of a release to its end, in a machine of its own.

What it prints is in the push's output and in the app's log, as `app[release.13]` for v13.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection

from buildpacks import output
from paas.apps import formation as formations
from paas.apps.apps import App
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.apps.processes import WEB
from paas.apps.releases import Release
from paas.builder.transcript import Transcript
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.provisioner import payload, plan, room
from paas.provisioner.boot import NODE_AWAY_S
from paas.provisioner.retire import remove
from paas.runs.output import last_output
from paas.store import formation, outputs


@dataclass(frozen=True)
class Ended:
    """With which exit status, and the end of what it printed."""

    status: int
    said: str


async def run(
    platform: Platform,
    app: App,
    release: Release,
    type: str,
    transcript: Transcript,
    timeout_s: float,
) -> Ended:
    """The release's command of that type. Raises TimeoutError, UserError where there is no room
    for it."""
    machine_uuid, name = str(uuid.uuid4()), f"{type}.{release.version}"
    await platform.database.run(outputs.add, machine_uuid, app.id, name)
    platform.outputs.add(app.id, machine_uuid, name)
    message = payload.one_off(
        app,
        release,
        machine_uuid=machine_uuid,
        name=name,
        package=package(DEFAULT_PACKAGE),
        type=type,
        place=await platform.database.run(_place, app, release),
    )
    said = ""
    try:
        await platform.machines.persist(lambda: platform.node.create(message), NODE_AWAY_S)
        status = await platform.machines.wait(machine_uuid, _exit_status, timeout_s)
    except NodeError as error:
        raise await room.refused(platform, error) from error
    finally:
        platform.background.start(remove(platform, machine_uuid), f"remove {name}")
        said = await last_output(platform.settings, app.id, machine_uuid, name)
        await transcript.write(output.detail(said) if said else "")
    return Ended(status, said)


def _place(connection: Connection, app: App, release: Release) -> str:
    entries = formations.for_processes(formation.get(connection, app.id), release.processes)
    return plan.largest(entries) or f"{WEB}.1"


def _exit_status(machine: Machine | None) -> int | None:
    """Its exit status once it has ended. One that was not booted yet is `stopped` as well."""
    if machine is None:
        return None
    if machine["state"] == "failed":
        return 255
    if machine["state"] != "stopped" or not machine.get("exit_timestamp"):
        return None
    status = machine.get("exit_status")  # None when nobody saw its end
    return 255 if status is None else int(status)
