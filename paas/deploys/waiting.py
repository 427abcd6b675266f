"""What a deploy says while it waits: for a node that is away, for instances that start slowly."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from buildpacks import output
from paas.apps.process import PORT, WEB
from paas.apps.release import Release
from paas.deploys.attempt import Attempt
from paas.errors import UserError
from paas.node import words
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.provisioner import unready

NODE_START_S = 300.0
"""As long as the supervisor gives it."""
SLOW_START_S = 5.0
"""After this time a developer wonders whether the push hangs."""


async def wait_for_node(platform: Platform, attempt: Attempt) -> None:
    """Returns at once where it is there. Raises UserError when it does not come."""
    if platform.machines.connected.is_set():
        return
    await attempt.transcript.write(output.step("Waiting for the node of this server"))
    await attempt.transcript.write(
        output.detail("It is starting; the first start makes the pool and takes a minute or more.")
    )
    try:
        await platform.machines.there(NODE_START_S)
    except NodeError as error:
        hint = "The operator of this server finds why in: paas doctor"
        raise UserError("node_away", f"{error.message}.", hint) from error


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
