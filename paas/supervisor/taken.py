"""Listening sockets taken from a process that has them: pidfd_getfd(2).

So a supervisor that nobody handed them to goes on with the same ones: it replaces one from other
code, or supervisor and holder were killed at once while router and control still serve.
"""

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from paas.host import sockets
from paas.host.sockets import Listener
from paas.settings import Settings

_SYS_PIDFD_GETFD = 438


def listeners(settings: Settings, pids: Iterable[int]) -> list[Listener]:
    """The installation's listening sockets that these processes have, each once."""
    found: list[Listener] = []
    places = set()
    for pid in pids:
        for item in _sockets(pid):
            name = sockets.name_of(settings, item)
            place = (name, item.family, item.getsockname())
            if name and place not in places:
                places.add(place)
                found.append(Listener(name, item))
            else:
                item.close()
    return found


def _sockets(pid: int) -> list[socket.socket]:
    """Copies of those that listen; empty when the process has ended."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return []
    try:
        copies = [_copy(process, number) for number in _numbers(pid)]
    finally:
        os.close(process)
    return [item for item in copies if item is not None]


def _numbers(pid: int) -> list[int]:
    """Of the descriptors that are sockets: proc(5)."""
    found = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if link.readlink().name.startswith("socket:["):
                    found.append(int(link.name))
    return sorted(found)


def _copy(process: int, number: int) -> socket.socket | None:
    """None for one that does not listen, or is closed already."""
    copy = ctypes.CDLL(None).syscall(_SYS_PIDFD_GETFD, process, number, 0)
    if copy < 0:
        return None
    item = socket.socket(fileno=copy)
    item.set_inheritable(False)
    if item.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return item
    item.close()
    return None
