"""One attempt to make a commit an app's release: what all of its steps share."""

import asyncio
import contextlib
from dataclasses import dataclass

from gitserver import RefUpdate
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.apps.sources import Source
from paas.builder.transcript import Transcript, Write
from paas.errors import NotFound
from paas.platform.platform import Platform
from paas.platform.timeline import Timeline
from paas.store import builds
from paas.store.sql.row import new_id


@dataclass(frozen=True)
class Attempt:
    app: App
    build: Build
    transcript: Transcript
    timeline: Timeline
    ref: RefUpdate | None = None
    """Follows the release, if there is one to follow."""
    from_nothing: bool = False
    """Build as if the app had never been built."""


async def begin(
    platform: Platform,
    app: App,
    commit: str,
    user: str,
    write: Write,
    *,
    ref: RefUpdate | None = None,
    from_nothing: bool = False,
    source: Source | None = None,
) -> Attempt:
    """Record it, as a build with a transcript. Who is cancelled meanwhile leaves a failed one."""
    id, run = new_id(), platform.database.run
    printing = platform.deploying.printing
    transcript = Transcript.open(platform.settings, id, write, lambda: printing.discard(id))
    printing.add(id)
    try:
        build = await run(
            builds.insert, app_id=app.id, commit=commit, user=user, id=id, source=source
        )
    except BaseException:
        transcript.close()
        with contextlib.suppress(NotFound):
            status = BuildStatus.FAILED
            await asyncio.shield(run(builds.set_status, id, status, failure="cancelled"))
        raise
    timeline = platform.timeline(app.id, build.id)
    return Attempt(app, build, transcript, timeline, ref, from_nothing)
