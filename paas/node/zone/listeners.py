"""The two descriptors of the fast path: a listening Unix socket and a FIFO, both the node's own.

The socket stands outside the zone (`<run>/machines/<uuid>/web.sock`); the zone has it as
descriptor 3 and can accept on it, not replace it. After a restart of the node it is taken back from
conmon, which keeps it open, so that not one connection in its queue is lost.
"""

import ctypes
import fcntl
import grp
import os
import select
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paas.settings import ROUTER_USER

BACKLOG = 511
DESCRIPTOR_COUNT = 2
_SYS_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class FastPath:
    """`listener` accepts, `reports` is the node's end of the FIFO, opened to read and write."""

    listener: socket.socket
    reports: int

    def inodes(self) -> str:
        """How the preload module knows that its descriptors are these."""
        listener, reports = os.fstat(self.listener.fileno()), os.fstat(self.reports)
        return f"{listener.st_ino}:{reports.st_ino}"

    def name(self) -> str:
        """The address that the zone's copy of the listener has: no path that it could open."""
        return str(self.listener.getsockname())

    def close(self) -> None:
        self.listener.close()
        os.close(self.reports)


def make(folder: Path) -> FastPath:
    """A new socket and FIFO in the machine's run folder."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path, temporary = folder / "web.sock", folder / "web.sock.new"
    temporary.unlink(missing_ok=True)
    with _bind_folder(folder) as place:
        listener.bind(f"{place}/web.sock.new")
    _for_the_router(temporary)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    temporary.replace(path)
    return FastPath(listener, _reports(folder))


def take_back(folder: Path, conmon: int) -> FastPath | None:
    """A running zone's descriptors, from its conmon (pidfd_getfd(2)); None if they are gone."""
    try:
        process = os.pidfd_open(conmon)
    except OSError:
        return None
    try:
        number = _libc.syscall(_SYS_PIDFD_GETFD, process, 3, 0)
        if number < 0:
            return None
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            os.close(number)
            return None
        fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        listener = socket.socket(fileno=number)
    finally:
        os.close(process)
    if not (folder / "web.sock").exists() or was_shut_down(listener):
        listener.close()
        return None
    listener.setblocking(False)
    return FastPath(listener, _reports(folder))


def was_shut_down(listener: socket.socket) -> bool:
    """Whether the zone ended the socket (shutdown(2) works on every copy): nothing can connect."""
    poll = select.poll()
    poll.register(listener, select.POLLRDHUP)
    return any(event & (select.POLLHUP | select.POLLRDHUP) for _, event in poll.poll(0))


def hang_up_watch(listener: socket.socket) -> int:
    """A descriptor that becomes readable when the zone shuts the listener down."""
    watch = select.epoll()
    watch.register(listener, select.EPOLLRDHUP)
    number = os.dup(watch.fileno())
    watch.close()
    return number


def are_there(folder: Path) -> bool:
    """Whether nobody took the names away by which router and zone come to the descriptors."""
    return (folder / "web.sock").exists() and (folder / "reports").exists()


def remove(folder: Path) -> None:
    for name in ("web.sock", "web.sock.new", "reports"):
        with suppress(FileNotFoundError):
            (folder / name).unlink()


def zone_end(folder: Path) -> int:
    """The FIFO's end for the zone, which never blocks (the caller closes it).

    Opened to read as well: a report written while no node lives waits in it for the next one.
    """
    return os.open(folder / "reports", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _reports(folder: Path) -> int:
    path = folder / "reports"
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # To read and write: no end of file while the zone restarts.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class _bind_folder:
    """A short name of a folder: a socket's address has at most 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _for_the_router(path: Path) -> None:
    path.chmod(0o660)
    with suppress(KeyError):
        os.chown(path, 0, grp.getgrnam(ROUTER_USER).gr_gid)
