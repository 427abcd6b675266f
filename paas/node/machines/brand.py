"""What a brand is to the rest of the node: how one machine is run, whatever runs it.

SmartOS has the word for the kind of a machine. A brand knows what holds a machine's processes (for
`lx`, conmon and runc); when these are started, ended and started again `life` decides. Each machine
has a Brand of its own, made by a BrandOf; what the machine is to be like comes with the call.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from paas.node.machines.machine import Machine
from paas.node.protocol import ExitStatus

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Ending:
    """How the first process ended: its status as a shell has it, None while that is unknown."""

    code: int | None
    out_of_memory: bool = False


@dataclass(frozen=True)
class Held:
    """How a further process hangs on its caller: by a terminal, which its three descriptors are,
    and how long it may go on when the caller is gone and it has been told so (SIGHUP)."""

    terminal: bool = False
    hang_up_s: float = 0.0


class Observer(Protocol):
    """Who is told, in the event loop, what a machine that runs does by itself."""

    def reported(self) -> None:
        """Its server says that it listens, or is at work."""

    def limit_hit(self) -> None:
        """The kernel may have counted a hit: `counts` says."""

    def cut_itself_off(self) -> None:
        """It broke the socket that it was given. Nothing can reach it: it is being ended."""


class Probe(Protocol):
    """The question whether a machine that runs answers on its port."""

    reported: asyncio.Event
    """To be set when the machine says that it listens."""

    async def wait(self) -> str | None:
        """By which way it answers, `unix` or `tcp`; None when its processes are gone."""


class Brand(Protocol):
    """One machine's. Every step can be repeated after a crash of the node."""

    @property
    def pid(self) -> int | None:
        """Of the first process, on this host; None while nothing runs."""

    def prepare(self, machine: Machine) -> None:
        """What needs no dataset: folders, the log, limits. Blocks."""

    async def boot(self, machine: Machine) -> None:
        """Returns when the first process runs. Raises StartFailed, OSError, PlatformError and
        PoolUnavailable; what is half done then, `clear` takes away.
        """

    async def adopt(self, machine: Machine) -> bool:
        """After a restart of the node: take back what runs. False when there is nothing whole."""

    def detach(self) -> None:
        """The node ends: let go of what runs, which goes on."""

    async def exec(
        self,
        machine: Machine,
        command: Sequence[str],
        environment: Mapping[str, str],
        user: str,
        working_directory: str,
        descriptors: Sequence[int],
        held: Held,
    ) -> ExitStatus:
        """Run a further process to its end, in a machine that runs; cancelling kills it."""

    async def connect(self, port: int) -> socket.socket:
        """A connection to what listens there inside, also on loopback only. Raises NodeError."""

    def apply(self, machine: Machine) -> None:
        """Its limits, at once. Blocks; raises OSError, EBUSY for less memory than is held."""

    def probe(self, machine: Machine, tell: Tell) -> Probe:
        """For a machine that runs and has a port. Meanwhile `tell` hears what is found instead."""

    def signal(self, number: int) -> None:
        """To the first process; fine if it just ended."""

    async def stop(self) -> None:
        """SIGTERM to every process; returns when all have ended. Cancelled, it lets go."""

    async def kill(self) -> None:
        """SIGKILL to every process; returns when they have ended."""

    async def ended(self) -> None:
        """Returns when what runs has ended, however that came."""

    def ending(self) -> Ending:
        """Of the last first process."""

    def was_booted(self) -> bool:
        """Whether there is a trace of a boot: none is left after a restart of the host."""

    def counts(self) -> Mapping[str, int]:
        """The kernel's counters: `oom_kills` and `lwps_hits` since the boot, or earlier."""

    def note_out_of_memory(self) -> None:
        """The kernel killed for memory just now: an `ending` soon after is one of memory."""

    def memory_usage_bytes(self) -> int: ...

    async def clear(self) -> None:
        """Kill and clear away what is left of a machine that no longer runs."""

    async def unmount(self) -> None:
        """Nothing shows the dataset any more; nothing runs."""

    async def remove(self) -> None:
        """Every trace but the log; nothing runs."""


BrandOf = Callable[[Machine, Observer], Brand]
