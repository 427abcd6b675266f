"""An app's log and a build's output as streams of lines, for the API."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from paas import logs
from paas.apps.app import App
from paas.apps.build import Build, BuildStatus
from paas.builder import transcript
from paas.platform.platform import Platform
from paas.store import builds

POLL_S = 0.1
"""The file of a build has one writer and few readers; it is looked at while somebody watches."""


class LogStreams:
    """Async generators of lines without their ends; closing one ends its work."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read(
        self,
        app: App,
        *,
        lines: int,
        source: str | None = None,
        dyno: str | None = None,
        tail: bool = False,
    ) -> AsyncIterator[str]:
        """The newest lines, oldest first, and with `tail` those that follow for ever."""
        only = logs.Filter(source=source, process=dyno)
        settings, machines = self._platform.settings, partial(self._platform.outputs.of, app.id)
        if not tail:
            found = await asyncio.to_thread(logs.read, settings, app.id, machines(), lines, only)
            for line in found:
                yield str(line)
            return
        batches = logs.follow(settings, app.id, machines, lines, only)
        async with contextlib.aclosing(batches):
            async for batch in batches:
                for line in batch:
                    yield str(line)

    async def build_output(self, build: Build) -> AsyncIterator[str]:
        """What the build printed, and what it prints until it ends."""
        path = transcript.path(self._platform.settings, build.id)
        offset, rest = 0, ""
        while True:
            status = (await self._platform.database.run(builds.by_id, build.id)).status
            text, offset = await asyncio.to_thread(transcript.read, path, offset)
            *whole, rest = (rest + text).split("\n")
            for line in whole:
                yield line
            if status is not BuildStatus.PENDING:
                if rest:
                    yield rest
                return
            await asyncio.sleep(POLL_S)
