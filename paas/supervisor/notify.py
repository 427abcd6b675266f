"""What the supervisor says to systemd where that watches it: sd_notify(3).

That apps answer, what is waited for until then, and which sockets systemd keeps for the supervisor
that it starts when this one was killed.
"""

import contextlib
import os
import socket
from collections.abc import Iterable, Sequence

from paas.host.sockets import Listener

_VARIABLE = "NOTIFY_SOCKET"
_INVOCATION = "INVOCATION_ID"


def is_watched() -> bool:
    """Whether systemd starts the supervisor again when it ends."""
    return _VARIABLE in os.environ or (os.getppid() == 1 and _INVOCATION in os.environ)


def leave() -> None:
    """For a daemon: it left the service that it was started from, if it was one (cloud-init, a
    timer), and nobody there starts it again."""
    for name in (_VARIABLE, _INVOCATION):
        os.environ.pop(name, None)


def ready() -> None:
    _send("READY=1")


def status(text: str) -> None:
    """One line, which `systemctl status` shows."""
    _send(f"STATUS={text}")


def wait_for(duration_s: float) -> None:
    """From now, if the unit's own limit ends before that."""
    _send(f"EXTEND_TIMEOUT_USEC={round(duration_s * 1e6)}")


def stopping() -> None:
    _send("STOPPING=1")


def keep(listeners: Iterable[Listener]) -> None:
    """Have systemd keep these instead of what it kept before."""
    listeners = list(listeners)
    for name in dict.fromkeys(item.name for item in listeners):
        _send(f"FDSTOREREMOVE=1\nFDNAME={name}")
    for item in listeners:
        _send(f"FDSTORE=1\nFDNAME={item.name}", [item.descriptor])


def _send(message: str, descriptors: Sequence[int] = ()) -> None:
    """Nothing where nobody listens; what can't be said must not end the platform."""
    address = os.environ.get(_VARIABLE)
    if not address:
        return
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as item, contextlib.suppress(OSError):
        item.connect(place)
        socket.send_fds(item, [message.encode()], list(descriptors))
