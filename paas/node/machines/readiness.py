"""Whether a machine that runs can be reached: asked until it answers, then after its reports."""

import time
from collections.abc import Callable
from typing import Any

from paas.node.machines.brand import Probe, Tell
from paas.node.machines.restarts import Spawn

_ASK_AGAIN_S = 10.0
"""A machine that is reached at its address is asked over its socket no more often."""


class Readiness:
    """One machine's: at most one probe at a time, which counts for one boot.

    `answered` hears by which way the machine answers, `unready` what was found
    instead.
    """

    def __init__(
        self,
        spawn: Spawn,
        make_probe: Callable[[Tell], Probe],
        answered: Callable[[str], None],
        unready: Tell,
    ) -> None:
        self._spawn = spawn
        self._make_probe, self._answered, self._unready = make_probe, answered, unready
        self._probe: Probe | None = None
        self._asked_s = 0.0

    def begin(self) -> None:
        """The machine runs, and is not known to answer."""
        if self._probe is None:
            self._ask()

    def reported(self, listening: str | None) -> None:
        """The machine says that it listens; `listening` is how it is known to answer."""
        # Every report tells it, so that one that was lost is made up for by the next.
        if listening == "unix":
            return
        if self._probe is None:
            if listening and time.monotonic() - self._asked_s < _ASK_AGAIN_S:
                return
            self._ask()
        if self._probe is not None:
            self._probe.reported.set()

    def end(self) -> None:
        """What was asked concerns no boot any more: its answer does not count."""
        self._probe = None

    def _ask(self) -> None:
        def tell(found: dict[str, Any]) -> None:
            if self._probe is probe:
                self._unready(found)

        probe = self._probe = self._make_probe(tell)
        self._spawn(self._wait(probe))

    async def _wait(self, probe: Probe) -> None:
        how = await probe.wait()
        if self._probe is probe:
            self._probe = None
            self._asked_s = time.monotonic()
            if how is not None:
                self._answered(how)
