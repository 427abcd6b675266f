"""rtnetlink(7), as much of it as a bridge with veths needs: one request, one acknowledgement.

A machine's interface is made in under a millisecond; the `ip` command needs several times that.
Interfaces are named, never numbered, by callers. Errors are OSErrors that say what was asked.
"""

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TypeVar

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 17, 19, 20, 24
_REQUEST, _ACK, _EXCL, _CREATE, _REPLACE = 1, 4, 0x200, 0x400, 0x100
_ERROR = 2
_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_PID, _IFLA_PROTINFO = 19, 12
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_INFO_PEER = 1
_BRPORT_ISOLATED, _BRPORT_LEARNING = 33, 8
_NESTED = 0x8000
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_GATEWAY, _RTA_OIF = 5, 4
_CLONE_NEWNET = 0x40000000
_TIMEOUT_S = 5.0

_libc = ctypes.CDLL(None, use_errno=True)
Result = TypeVar("Result")


def index(name: str) -> int | None:
    """The interface's number in the calling thread's network namespace; None when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def add_bridge(name: str, mtu: int) -> None:
    """Make a bridge; fine if it is there."""
    attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu) + _kind("bridge")
    with suppress(FileExistsError):
        _link(_NEWLINK, _CREATE | _EXCL, attributes, what=f"make the bridge {name}")


def add_veth(name: str, peer: str, peer_pid: int, peer_mac: str, mtu: int) -> None:
    """Make a pair: `name` here, `peer` in the network namespace of process `peer_pid`."""
    inner = (
        _link_header()
        + _text(_IFLA_IFNAME, peer)
        + _number(_IFLA_NET_NS_PID, peer_pid)
        + _attribute(_IFLA_ADDRESS, bytes.fromhex(peer_mac.replace(":", "")))
        + _number(_IFLA_MTU, mtu)
    )
    data = _attribute(_INFO_DATA | _NESTED, _attribute(_VETH_INFO_PEER | _NESTED, inner))
    attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu) + _kind("veth", data)
    _link(_NEWLINK, _CREATE | _EXCL, attributes, what=f"make the interface {name}")


def delete(name: str) -> None:
    """Delete an interface (with a veth, its peer too); fine if there is none."""
    number = index(name)
    if number is not None:
        with suppress(ProcessLookupError, OSError):
            _link(_DELLINK, 0, b"", index=number, what=f"delete the interface {name}")


def set_up(name: str) -> None:
    _link(_NEWLINK, 0, b"", index=_known(name), up=True, what=f"set {name} up")


def join_bridge(name: str, bridge: str) -> None:
    """Make an interface an isolated port of the bridge: it reaches no other isolated port."""
    number = _known(name)
    _link(
        _NEWLINK,
        0,
        _number(_IFLA_MASTER, _known(bridge)),
        index=number,
        what=f"join {name} to {bridge}",
    )
    port = _attribute(_BRPORT_ISOLATED, b"\x01")
    _link(
        _SETLINK,
        0,
        _attribute(_IFLA_PROTINFO | _NESTED, port),
        index=number,
        family=socket.AF_BRIDGE,
        what=f"isolate {name}",
    )


def add_address(name: str, address: IPv4Interface) -> None:
    """Give an interface an IPv4 address; fine if it has it."""
    packed = address.ip.packed
    body = struct.pack("=BBBBI", socket.AF_INET, address.network.prefixlen, 0, 0, _known(name))
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    with suppress(FileExistsError):
        _ask(_NEWADDR, _CREATE | _EXCL, body, f"add {address} to {name}")


def add_default_route(gateway: IPv4Address, name: str) -> None:
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
    body += _attribute(_RTA_GATEWAY, gateway.packed) + _number(_RTA_OIF, _known(name))
    _ask(_NEWROUTE, _CREATE | _REPLACE, body, f"route through {gateway}")


def in_namespace_of(pid: int, function: Callable[[], Result]) -> Result:
    """Run `function` in the network namespace of a process, in a thread of its own (setns(2))."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with _open(f"/proc/{pid}/ns/net") as descriptor:
                if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, f"can't enter the network of process {pid}")
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter, name="in-namespace", daemon=True)
    thread.start()
    thread.join(_TIMEOUT_S)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"the network of process {pid} did not answer in {_TIMEOUT_S} s")
    return results[0]


def names(prefix: str) -> set[str]:
    """Interfaces of this host whose names begin with `prefix`."""
    return {path.name for path in Path("/sys/class/net").glob(f"{prefix}*")}


def mtu(name: str) -> int:
    return int(Path(f"/sys/class/net/{name}/mtu").read_text())


@contextmanager
def _open(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _known(name: str) -> int:
    number = index(name)
    if number is None:
        raise OSError(errno.ENODEV, f"there is no interface {name}")
    return number


def _link(
    kind: int,
    flags: int,
    attributes: bytes,
    *,
    what: str,
    index: int = 0,
    up: bool = False,
    family: int = 0,
) -> None:
    _ask(kind, flags, _link_header(index, up=up, family=family) + attributes, what)


def _link_header(index: int = 0, *, up: bool = False, family: int = 0) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("=BxHiII", family, 0, index, flags, flags)


def _ask(kind: int, flags: int, body: bytes, what: str) -> None:
    header = struct.pack("=IHHII", 16 + len(body), kind, flags | _REQUEST | _ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.sendto(header + body, (0, 0))
        answer = connection.recv(65536)
    _, answered, _, _, _, status = struct.unpack_from("=IHHIIi", answer)
    if answered != _ERROR:
        raise OSError(errno.EPROTO, f"can't {what}: netlink answered {answered}")
    if status:
        raise OSError(-status, f"can't {what}: {os.strerror(-status)}")


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _kind(name: str, data: bytes = b"") -> bytes:
    return _attribute(_IFLA_LINKINFO | _NESTED, _text(_INFO_KIND, name) + data)
