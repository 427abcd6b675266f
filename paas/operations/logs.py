"""An app's log: read, and follow."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from paas import logs
from paas.apps.apps import App
from paas.platform.platform import Platform


@dataclass(frozen=True)
class Logs:
    platform: Platform

    async def read(
        self,
        app: App,
        *,
        lines: int,
        only: logs.Filter,
        tail: bool = False,
    ) -> AsyncIterator[str]:
        """The newest lines without their ends, oldest first; with `tail` what follows for ever.

        Closing the iterator ends its work.
        """
        settings, machines = self.platform.settings, partial(self.platform.outputs.of, app.id)
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
