"""The release command: the Procfile's `release`, run once before anything is switched."""

from buildpacks import output
from paas.apps.apps import App
from paas.apps.processes import RELEASE_COMMAND
from paas.apps.releases import Release
from paas.builder.transcript import Transcript
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.runs import once

TIMEOUT_S = 3600.0
"""Heroku's."""


class ReleaseCommandFailed(UserError):
    """It ended with another `status` than 0; the old release was never touched. `said` is the end
    of its output."""

    def __init__(self, how: str, status: int | None = None, said: str = "") -> None:
        super().__init__(
            "release_command_failed",
            f"the release command {how}; nothing was switched",
            "Its output is above. Mend it and push again.",
        )
        self.status = status
        self.said = said


async def run(
    platform: Platform, app: App, release: Release, transcript: Transcript, timeline: Timeline
) -> None:
    """Run it, if the release has one. Raises ReleaseCommandFailed."""
    if RELEASE_COMMAND not in release.processes:
        return
    await transcript.write(output.step("Running the release command"))
    async with timeline.step("release"):
        try:
            ended = await once.run(platform, app, release, RELEASE_COMMAND, transcript, TIMEOUT_S)
        except TimeoutError:
            raise ReleaseCommandFailed(f"did not end within {TIMEOUT_S:.0f} s") from None
    if ended.status != 0:
        raise ReleaseCommandFailed(f"exited with status {ended.status}", ended.status, ended.said)
