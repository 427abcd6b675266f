"""Descriptors that outlive a process: handed to the next one as sd_listen_fds(3) has it.

systemd hands over what it was given to keep, the holder what it holds. Beside listening sockets
there may be the claim on the installation, whose lock then goes on without a gap.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field

from paas.host.sockets import Listener

LISTEN_FDS_START = 3
"""sd_listen_fds(3)."""

HIGH_DESCRIPTOR = 64
"""Descriptors that are handed on for other purposes are at least this, out of the way of 3, 4, …"""

CLAIM = "claim"
_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


@dataclass(frozen=True)
class Handed:
    """What this process was given. `claim` is the locked file of `identity`."""

    listeners: list[Listener] = field(default_factory=list)
    claim: int | None = None


def take(environment: MutableMapping[str, str]) -> Handed:
    """What was meant for this process; its children will not see it in their environment."""
    count, pid, names = (environment.pop(name, "") for name in _VARIABLES)
    if not count.isdigit() or pid != str(os.getpid()):
        return Handed()
    listeners, claim = [], None
    for offset, name in zip(range(int(count)), names.split(":"), strict=False):
        descriptor = LISTEN_FDS_START + offset
        os.set_inheritable(descriptor, False)
        if name == CLAIM:
            claim = descriptor
        else:
            with contextlib.suppress(OSError):
                listeners.append(Listener(name, socket.socket(fileno=descriptor)))
    return Handed(listeners, claim)


def give(descriptors: Sequence[int], names: str) -> dict[str, str]:
    """Put the descriptors where the program that this process becomes looks for them; what its
    environment has to say."""
    high = [fcntl.fcntl(number, fcntl.F_DUPFD, HIGH_DESCRIPTOR) for number in descriptors]
    for offset, number in enumerate(high):
        os.dup2(number, LISTEN_FDS_START + offset, inheritable=True)
        os.close(number)
    values = (str(len(high)), str(os.getpid()), names)
    return dict(zip(_VARIABLES, values, strict=True))
