"""app.json's `scripts.postdeploy`: run once, after the app's first release.

The release is live by then, so that a failure takes nothing back: the command is due until it has
ended well, and runs again after the next release.
"""

import asyncio
from dataclasses import replace

from buildpacks import output
from paas import logs
from paas.apps.apps import App
from paas.apps.postdeploy import State
from paas.apps.processes import WEB
from paas.apps.releases import Release
from paas.builder.transcript import Transcript
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.runs import once
from paas.store import apps

TYPE = "postdeploy"
TIMEOUT_S = 3600.0


async def run(
    platform: Platform, app: App, release: Release, command: str, transcript: Transcript
) -> None:
    """Says how it ended; raises nothing for a command that fails."""
    await transcript.write(output.step(f"Running postdeploy of app.json: {command}"))
    like = release.commands.get(WEB) or next(iter(release.commands.values()), {})
    own = {"environment": {}, **like, "argv": ["sh", "-c", command]}
    with_it = replace(release, commands={**release.commands, TYPE: own})
    try:
        ended = await once.run(platform, app, with_it, TYPE, transcript, TIMEOUT_S)
        status = ended.status
        how = f"exited with status {status}" if status else ""
    except TimeoutError:
        how = f"did not end within {TIMEOUT_S:.0f} s"
    except asyncio.CancelledError:
        # The release is live already, whoever has stopped watching.
        logs.note(platform.settings, app.id, "postdeploy of app.json was cut off")
        return
    except UserError as error:
        how = f"could not be run: {error.message}"
    if not how:
        await platform.database.run(apps.set_postdeploy, app.id, State.DONE)
        return
    logs.note(platform.settings, app.id, f"postdeploy of app.json {how}")
    await transcript.write(
        output.problem(f"postdeploy of app.json {how}; {release.name} is live all the same.")
        + output.problem("It runs again after the next release, until it has ended well once.")
    )
