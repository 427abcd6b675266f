"""Whether a machine that runs can be reached: asked until it answers, then after its reports."""

import time
from collections.abc import Callable
from typing import Any

from paas.node.machines.brand import Readiness, Tell
from paas.node.machines.restarts import Spawn

_ASK_AGAIN_S = 10.0
"""A machine that is reached at its address is asked over its socket no more often."""


class Asking:
    """One machine's question, at most one at a time, and of one boot.

    `question` makes it; `answered` hears by which way the machine answers, `unready` what was
    found instead.
    """

    def __init__(
        self,
        spawn: Spawn,
        question: Callable[[Tell], Readiness],
        answered: Callable[[str], None],
        unready: Tell,
    ) -> None:
        self._spawn = spawn
        self._question, self._answered, self._unready = question, answered, unready
        self._readiness: Readiness | None = None
        self._asked_s = 0.0

    def begin(self) -> None:
        """The machine runs, and is not known to answer."""
        if self._readiness is None:
            self._ask()

    def reported(self, listening: str | None) -> None:
        """The machine says that it listens; `listening` is how it is known to answer."""
        # Every report tells it, so that one that was lost is made up for by the next.
        if listening == "unix":
            return
        if self._readiness is None:
            if listening and time.monotonic() - self._asked_s < _ASK_AGAIN_S:
                return
            self._ask()
        if self._readiness is not None:
            self._readiness.reported.set()

    def end(self) -> None:
        """What was asked concerns no boot any more: its answer does not count."""
        self._readiness = None

    def _ask(self) -> None:
        def tell(found: dict[str, Any]) -> None:
            if self._readiness is readiness:
                self._unready(found)

        readiness = self._readiness = self._question(tell)
        self._spawn(self._wait(readiness))

    async def _wait(self, readiness: Readiness) -> None:
        how = await readiness.wait()
        if self._readiness is readiness:
            self._readiness = None
            self._asked_s = time.monotonic()
            if how is not None:
                self._answered(how)
