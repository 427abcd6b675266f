"""The release command: the Procfile's `release`, run once before anything is switched.

What it prints is in the push's output and in the app's log, as `app[release.13]` for v13.
"""

import uuid

from sqlalchemy import Connection

from buildpacks import output
from paas.apps import formation as formations
from paas.apps.apps import App
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.apps.processes import RELEASE_COMMAND, WEB
from paas.apps.releases import Release
from paas.builder.transcript import Transcript
from paas.errors import UserError
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.provisioner import payload, plan, room
from paas.provisioner.boot import NODE_AWAY_S
from paas.provisioner.retire import remove
from paas.runs.output import last_output
from paas.store import formation, outputs

TIMEOUT_S = 3600.0
"""Heroku's."""


class ReleaseCommandFailed(UserError):
    """It ended with another status than 0; the old release was never touched."""

    def __init__(self, how: str) -> None:
        super().__init__(
            "release_command_failed",
            f"the release command {how}; nothing was switched",
            "Its output is above. Mend it and push again.",
        )


async def run(
    platform: Platform, app: App, release: Release, transcript: Transcript, timeline: Timeline
) -> None:
    """Run it, if the release has one. Raises ReleaseCommandFailed."""
    if RELEASE_COMMAND not in release.processes:
        return
    await transcript.write(output.step("Running the release command"))
    async with timeline.step("release"):
        await _run(platform, app, release, transcript)


async def _run(platform: Platform, app: App, release: Release, transcript: Transcript) -> None:
    machine_uuid, name = str(uuid.uuid4()), f"{RELEASE_COMMAND}.{release.version}"
    await platform.database.run(outputs.add, machine_uuid, app.id, name)
    platform.outputs.add(app.id, machine_uuid, name)
    message = payload.one_off(
        app,
        release,
        machine_uuid=machine_uuid,
        name=name,
        package=package(DEFAULT_PACKAGE),
        type=RELEASE_COMMAND,
        place=await platform.database.run(_place, app, release),
    )
    try:
        await platform.machines.persist(lambda: platform.node.create(message), NODE_AWAY_S)
        status = await platform.machines.wait(machine_uuid, _exit_status, TIMEOUT_S)
    except NodeError as error:
        raise room.refused(platform, error) from error
    except TimeoutError:
        raise ReleaseCommandFailed(f"did not end within {TIMEOUT_S:.0f} s") from None
    finally:
        platform.background.start(remove(platform, machine_uuid), f"remove {name}")
        said = await last_output(platform.settings, app.id, machine_uuid, name)
        await transcript.write(output.detail(said) if said else "")
    if status != 0:
        raise ReleaseCommandFailed(f"exited with status {status}")


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
