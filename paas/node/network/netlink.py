"""rtnetlink(7), as much of it as a bridge with veths needs: one request, one acknowledgement.

A machine's interface is made in under a millisecond; the `ip` command needs several times that.
Interfaces are named, never numbered, by callers. Errors are OSErrors that say what was asked.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import TypeVar

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _NEWROUTE, _NEWNEIGH, _DELNEIGH = 16, 17, 19, 20, 24, 28, 29
_REQUEST, _ACK, _EXCL, _CREATE, _REPLACE = 1, 4, 0x200, 0x400, 0x100
_ERROR = 2
_IFF_UP, _IFF_NOARP = 1, 0x80
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_PID, _IFLA_PROTINFO = 19, 12
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_INFO_PEER = 1
_BRIDGE_SNOOPING = 23
_PORT_LEARNING, _PORT_UNICAST_FLOOD, _PORT_MULTICAST_FLOOD, _PORT_ISOLATED = 8, 9, 27, 33
_NESTED = 0x8000
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_NO_DETECTION = 2
_NEIGHBOUR_ADDRESS, _NEIGHBOUR_MAC = 1, 2
_NEIGHBOUR_STATIC, _NEIGHBOUR_PERMANENT, _NEIGHBOUR_OF_BRIDGE = 0x40, 0x80, 0x04
_RTA_GATEWAY, _RTA_OIF = 5, 4
_SIOCGIFMTU, _SIOCGIFHWADDR = 0x8921, 0x8927
_CLONE_NEWNET = 0x40000000
_TIMEOUT_S = 30.0

_libc = ctypes.CDLL(None, use_errno=True)
Result = TypeVar("Result")


def index(name: str) -> int | None:
    """The interface's number in the calling thread's network namespace; None when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def add_bridge(name: str, mac: str, mtu: int) -> None:
    """Make a bridge that looks into no multicast; fine if it is there."""
    attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu) + _mac(_IFLA_ADDRESS, mac)
    with suppress(FileExistsError):
        what = f"make the bridge {name}"
        _link(_NEWLINK, _CREATE | _EXCL, attributes + _kind("bridge"), what=what)
    off = _attribute(_BRIDGE_SNOOPING, b"\0")
    deaf = _kind("bridge", _attribute(_INFO_DATA | _NESTED, off))
    with suppress(OSError):  # A kernel without it.
        _link(_NEWLINK, 0, deaf, index=_known(name), what=f"switch off snooping of {name}")


def set_mac(name: str, mac: str) -> None:
    address = _mac(_IFLA_ADDRESS, mac)
    _link(_NEWLINK, 0, address, index=_known(name), what=f"give {name} its MAC")


def add_veth(name: str, peer: str, peer_pid: int, peer_mac: str, mtu: int) -> None:
    """Make a pair: `name` here, `peer` in the network namespace of process `peer_pid`."""
    inner = (
        _link_header()
        + _text(_IFLA_IFNAME, peer)
        + _number(_IFLA_NET_NS_PID, peer_pid)
        + _mac(_IFLA_ADDRESS, peer_mac)
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


def set_up(name: str, *, asks: bool = True) -> None:
    """Set an interface up. One that does not ask (IFF_NOARP) knows the MACs that it is told."""
    flags = _IFF_UP | (0 if asks else _IFF_NOARP)
    _link(_NEWLINK, 0, b"", index=_known(name), interface_flags=flags, what=f"set {name} up")


def join_bridge(name: str, bridge: str, mac: str) -> None:
    """Make an interface a port of the bridge, with `mac` alone behind it.

    It reaches no other such port, and gets no frame that is another's: the bridge learns nothing
    from it and sends it nothing whose owner it does not know.
    """
    number = _known(name)
    master = _number(_IFLA_MASTER, _known(bridge))
    _link(_NEWLINK, 0, master, index=number, what=f"join {name} to {bridge}")
    off = (_PORT_LEARNING, _PORT_UNICAST_FLOOD, _PORT_MULTICAST_FLOOD)
    port = _attribute(_PORT_ISOLATED, b"\1") + b"".join(_attribute(kind, b"\0") for kind in off)
    port = _attribute(_IFLA_PROTINFO | _NESTED, port)
    family = socket.AF_BRIDGE
    _link(_SETLINK, 0, port, index=number, family=family, what=f"isolate {name}")
    body = _neighbour_header(family, number, _NEIGHBOUR_STATIC, _NEIGHBOUR_OF_BRIDGE)
    body += _mac(_NEIGHBOUR_MAC, mac)
    _ask(_NEWNEIGH, _CREATE | _REPLACE, body, f"put {mac} behind {name}")


def add_address(name: str, address: IPv4Interface | IPv6Interface) -> None:
    """Give an interface an address, to be used at once; fine if it has it."""
    packed, length = address.ip.packed, address.network.prefixlen
    flags = _IFA_NO_DETECTION if address.version == 6 else 0
    body = struct.pack("=BBBBI", _family(address), length, flags, 0, _known(name))
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    with suppress(FileExistsError):
        _ask(_NEWADDR, _CREATE | _EXCL, body, f"add {address} to {name}")


def add_default_route(gateway: IPv4Address | IPv6Address, name: str) -> None:
    body = struct.pack("=BBBBBBBBI", _family(gateway), 0, 0, 0, 254, 3, 0, 1, 0)
    body += _attribute(_RTA_GATEWAY, gateway.packed) + _number(_RTA_OIF, _known(name))
    _ask(_NEWROUTE, _CREATE | _REPLACE, body, f"route through {gateway}")


def add_neighbour(name: str, address: IPv4Address | IPv6Address, mac: str) -> None:
    """Say for good whose MAC an address has on the network of an interface."""
    body = _neighbour_header(_family(address), _known(name), _NEIGHBOUR_PERMANENT)
    body += _attribute(_NEIGHBOUR_ADDRESS, address.packed) + _mac(_NEIGHBOUR_MAC, mac)
    _ask(_NEWNEIGH, _CREATE | _REPLACE, body, f"know {address} on {name}")


def forget_neighbour(name: str, address: IPv4Address | IPv6Address) -> None:
    """The reverse of `add_neighbour`; fine if it is not known, or the interface is gone."""
    number = index(name)
    if number is not None:
        body = _neighbour_header(_family(address), number, 0)
        with suppress(FileNotFoundError):
            _ask(
                _DELNEIGH,
                0,
                body + _attribute(_NEIGHBOUR_ADDRESS, address.packed),
                f"forget {address}",
            )


def in_namespace_of(
    pid: int, function: Callable[[], Result], timeout_s: float = _TIMEOUT_S
) -> Result:
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
    thread.join(timeout_s)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"the network of process {pid} did not answer in {timeout_s} s")
    return results[0]


def names(prefix: str) -> set[str]:
    """Interfaces, in the calling thread's network namespace, whose names begin with `prefix`."""
    return {name for _, name in socket.if_nameindex() if name.startswith(prefix)}


def mac(name: str) -> str:
    return _ask_interface(_SIOCGIFHWADDR, name)[18:24].hex(":")


def mtu(name: str) -> int:
    found: int = struct.unpack_from("=i", _ask_interface(_SIOCGIFMTU, name), 16)[0]
    return found


def _ask_interface(request: int, name: str) -> bytes:
    """netdevice(7): the answer begins with the name, in 16 bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        return fcntl.ioctl(channel, request, struct.pack("=16s24x", name.encode()))


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
    interface_flags: int = 0,
    family: int = 0,
) -> None:
    header = _link_header(index, flags=interface_flags, family=family)
    _ask(kind, flags, header + attributes, what)


def _link_header(index: int = 0, *, flags: int = 0, family: int = 0) -> bytes:
    return struct.pack("=BxHiII", family, 0, index, flags, flags)


def _neighbour_header(family: int, index: int, state: int, flags: int = 0) -> bytes:
    return struct.pack("=BxxxiHBx", family, index, state, flags)


def _family(address: IPv4Address | IPv6Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


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


def _mac(kind: int, mac: str) -> bytes:
    return _attribute(kind, bytes.fromhex(mac.replace(":", "")))


def _kind(name: str, data: bytes = b"") -> bytes:
    return _attribute(_IFLA_LINKINFO | _NESTED, _text(_INFO_KIND, name) + data)
