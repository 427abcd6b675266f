"""What a killed supervisor left running: adopted as it is, or ended to make room.

Machines are none of it: they belong to the node.
"""

import signal
from collections.abc import Callable, Sequence

from paas.host import processes
from paas.host.identity import Claim
from paas.host.sockets import Listener
from paas.settings import Settings
from paas.supervisor import taken
from paas.supervisor.service import STOP_TIMEOUT_S

MODULES = {"node": "paas.node.server", "router": "router.keeper", "control": "paas.control"}
"""The services by name, and the module that each one's process runs."""


def listeners(settings: Settings) -> list[Listener]:
    """The sockets of what still serves, when supervisor and holder were killed at once."""
    return taken.listeners(settings, processes.platform_processes(settings))


def adoptable(settings: Settings, claim: Claim, passed: Sequence[Listener]) -> dict[str, int]:
    """The processes to go on with, by service: those of the same code and settings, as long as
    the sockets that they serve were handed on as well."""
    before = claim.before
    if before is None or not passed or not before.runs_as(claim.owner):
        return {}
    found = {name: processes.running(settings, module) for name, module in MODULES.items()}
    return {name: pids[0] for name, pids in found.items() if len(pids) == 1}


def end(settings: Settings, adopted: Sequence[int], say: Callable[[str], None]) -> None:
    """End what is not adopted; a process that is a child of an adopted one stays with it."""
    kept = {*adopted, *processes.running(settings, processes.HOLDER)}
    left = [pid for pid in processes.platform_processes(settings) if pid not in kept]
    left = [pid for pid in left if not kept & set(processes.ancestors(pid))]
    if left:
        say(f"-----> Ending what a killed supervisor left: processes {', '.join(map(str, left))}")
        if not processes.end(left, signal.SIGTERM, STOP_TIMEOUT_S):
            processes.end(left)
