"""What a push says while its instances start slowly."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from buildpacks import output
from paas.apps.processes import PORT, WEB
from paas.apps.releases import Release
from paas.deploys.attempt import Attempt
from paas.node import words
from paas.platform.platform import Platform
from paas.provisioner import unready

SLOW_START_S = 5.0
"""After this time a developer wonders whether the push hangs."""


@contextlib.asynccontextmanager
async def told_when_slow(
    platform: Platform, attempt: Attempt, release: Release
) -> AsyncIterator[None]:
    """Says what is waited for, once, where a start takes long."""

    async def tell() -> None:
        await asyncio.sleep(SLOW_START_S)
        limit = f"{PORT} within {platform.settings.boot_timeout_s:.0f} s"
        said = f"Still starting: web has to listen on process.env.PORT, which is {limit}"
        found = "\n".join([said, *_found_so_far(platform, release)])
        await attempt.transcript.write(output.detail(found))

    telling = asyncio.create_task(tell()) if WEB in release.processes else None
    try:
        yield
    finally:
        if telling is not None:
            telling.cancel()


def _found_so_far(platform: Platform, release: Release) -> list[str]:
    """Of the release's instances that can't be reached yet: where they listen."""
    found = []
    for machine in list(platform.machines.known.values()):
        tags = machine.get("tags", {})
        is_its = (tags.get(words.APP), tags.get(words.RELEASE)) == (release.app_id, release.version)
        if is_its and machine.get("unreachable"):
            found.append(unready.so_far(str(tags.get(words.INSTANCE)), machine["unreachable"]))
    return [line for line in found if line]
