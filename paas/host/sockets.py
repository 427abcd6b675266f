"""What the platform listens on: opened once, by root, and inherited by whoever serves it.

The router's public ports, git's for SSH, and control's on loopback and in the file system. Because
control and router only inherit them, what connects while one of these is started again waits, and
no other user of the host can take a port meanwhile. They can be handed on as sd_listen_fds(3) has
it: by systemd, which keeps them, or by the holder.
"""

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paas.errors import UserError
from paas.settings import Settings

BACKLOG = 4096
HTTP, HTTPS, SSH, CONTROL = "http", "https", "ssh", "control"
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class Listener:
    """A listening socket and what it is for; the name travels with it in LISTEN_FDNAMES."""

    name: str
    socket: socket.socket

    @property
    def descriptor(self) -> int:
        return self.socket.fileno()


@dataclass(frozen=True)
class _Place:
    """Where to listen. `setting` chooses the port."""

    name: str
    family: socket.AddressFamily
    address: str
    port: int
    setting: str


def listen(settings: Settings, passed: Iterable[Listener] = ()) -> list[Listener]:
    """Listen on every TCP port of the installation; what was `passed` and fits is used again.

    IPv6 where the host has it. UserError names the process that has a port, and the setting that
    changes it; nothing is left open then.
    """
    spare = list(passed)
    opened: list[Listener] = []
    try:
        for place in _places(settings):
            known = next((item for item in spare if _fits(item, place)), None)
            if known is not None:
                spare.remove(known)
            made = known or _listen(place)
            opened += [made] if made else []
    except BaseException:
        close(opened)
        raise
    return opened


def listen_unix(path: Path, user: int, group: int, passed: Iterable[Listener] = ()) -> Listener:
    """Control's socket in the file system, owned by control."""
    for item in passed:
        same = item.socket.family == socket.AF_UNIX and item.socket.getsockname() == str(path)
        if same and path.is_socket():
            return item
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    os.chown(path, user, group)
    path.chmod(0o660)
    made.listen(BACKLOG)
    return Listener(CONTROL, made)


def name_of(settings: Settings, item: socket.socket) -> str:
    """What a listening socket is for; empty when it is none of the installation's."""
    if item.family == socket.AF_UNIX:
        return CONTROL if item.getsockname() == str(settings.control_socket) else ""
    fitting = (place for place in _places(settings) if _fits(Listener(place.name, item), place))
    return next((place.name for place in fitting), "")


def close(listeners: Iterable[Listener]) -> None:
    for item in listeners:
        item.socket.close()


def named(listeners: Iterable[Listener], *names: str) -> list[Listener]:
    return [item for item in listeners if item.name in names]


def descriptors(listeners: Iterable[Listener]) -> tuple[int, ...]:
    return tuple(item.descriptor for item in listeners)


def names(listeners: Iterable[Listener]) -> str:
    """LISTEN_FDNAMES of sd_listen_fds(3)."""
    return ":".join(item.name for item in listeners)


def _places(settings: Settings) -> list[_Place]:
    public = [(HTTP, settings.router_port, "PAAS_ROUTER_PORT")]
    if settings.router_tls_port:
        public.append((HTTPS, settings.router_tls_port, "PAAS_ROUTER_TLS_PORT"))
    if settings.ssh_port:
        public.append((SSH, settings.ssh_port, "PAAS_SSH_PORT"))
    found = []
    for name, port, setting in public:
        found.append(_Place(name, socket.AF_INET, "0.0.0.0", port, setting))
        found.append(_Place(name, socket.AF_INET6, "::", port, setting))
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        found.append(_Place(CONTROL, family, address, settings.control_port, "PAAS_CONTROL_PORT"))
    return found


def _fits(item: Listener, place: _Place) -> bool:
    if item.name != place.name or item.socket.family != place.family:
        return False
    address, port, *_ = item.socket.getsockname()
    return bool((address, port) == (place.address, place.port))


def _listen(place: _Place) -> Listener | None:
    """None where the host has no IPv6."""
    try:
        item = socket.socket(place.family, socket.SOCK_STREAM)
    except OSError as error:
        if place.family == socket.AF_INET6 and error.errno in _NO_IPV6:
            return None
        raise
    item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if place.family == socket.AF_INET6:
        item.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        item.bind((place.address, place.port))
        item.listen(BACKLOG)
    except OSError as error:
        item.close()
        if error.errno == errno.EADDRINUSE:
            raise _taken(place.port, place.setting) from error
        if place.family == socket.AF_INET6 and error.errno in _NO_IPV6:
            return None
        raise
    return Listener(place.name, item)


def _taken(port: int, setting: str) -> UserError:
    who = holder(port)
    return UserError(
        "port_taken",
        f"port {port} is taken" + (f" by {who}" if who else ""),
        f"Stop that process, or choose another port: {setting}={port + 10} paas up",
    )


def holder(port: int) -> str:
    """`nginx (process 123)` for the process that listens on `port`, or an empty text."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = link.readlink().name
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            process = link.parent.parent
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    """Inodes of TCP sockets in state LISTEN (0A) on `port`: proc(5), /proc/net/tcp."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A":
                inodes.add(fields[9])
    return inodes
