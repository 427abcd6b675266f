"""The zones' network alone, with namespaces for the zones, and one more for the internet.

Processes in a real zone may do much less in its network than these: who asks here is root in it.
"""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import TypeVar

from paas.node.network import addresses, ipv6, netlink
from paas.node.network import lan as network
from paas.node.network.firewall import Opening, Port
from paas.settings import Settings
from tests.names import own_name

Result = TypeVar("Result")
ETH_P_ALL = 3
TIMEOUT_S = 30.0
_METRIC = "4242"


@dataclass
class Namespace:
    """A network of its own, held by a process that does nothing."""

    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        return self.process.pid

    def run(self, function: Callable[[], Result], timeout_s: float = TIMEOUT_S) -> Result:
        return netlink.in_namespace_of(self.pid, function, timeout_s)

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """It stays in the namespace, whoever uses it."""
        found = self.run(lambda: socket.socket(family, kind, protocol))
        found.settimeout(TIMEOUT_S)
        return found

    def packets(self) -> socket.socket:
        """Sends and sees whole frames on `eth0`."""
        found = self.open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        found.bind(("eth0", ETH_P_ALL))
        return found


@contextmanager
def namespace() -> Iterator[Namespace]:
    argv = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield Namespace(process)
        finally:
            process.kill()


@dataclass
class Internet(Namespace):
    """A host outside. `interface` is this host's end of the way, with the addresses `near`."""

    interface: str
    address: IPv4Address
    address6: IPv6Address
    near: tuple[IPv4Address, IPv6Address]


@contextmanager
def internet(key: str) -> Iterator[Internet]:
    """On this host a route leads there, to a few addresses that nobody has."""
    with namespace() as space, _number() as number:
        first = _free_network().network_address + number * 4
        first6 = IPv6Address((0x2FFF << 112) + (number << 64))
        name = f"vi{key}"
        found = Internet(space.process, name, first + 2, first6 + 2, (first + 1, first6 + 1))
        netlink.add_veth(name, "eth0", space.pid, "02:00:00:00:00:99", 1500)
        try:
            _address(name, found.near)
            space.run(lambda: _address("eth0", (found.address, found.address6)))
            if ipv6.way_out() is None:
                _ip("-6", "route", "add", "2000::/3", "dev", name, "metric", _METRIC)
            yield found
        finally:
            netlink.delete(name)


def _free_network() -> IPv4Network:
    """For documentation (RFC 5737), and not in use on this host as in other places of trial."""
    listed = json.loads(subprocess.check_output(["ip", "-j", "-4", "route"], timeout=TIMEOUT_S))
    used = [
        IPv4Network(route["dst"])
        for route in listed
        if route["dst"] != "default" and not route["dev"].startswith("vi")
    ]
    for free in map(IPv4Network, ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")):
        if not any(free.overlaps(item) for item in used):
            return free
    raise AssertionError("this host has routes to every network for documentation")


@contextmanager
def _number() -> Iterator[int]:
    """One that no other test on this host has now: it holds the name of a socket."""
    with socket.socket(socket.AF_UNIX) as held:
        for number in range(64):
            with suppress(OSError):
                held.bind(f"\0paas test internet {number}")
                break
        else:
            raise AssertionError("64 tests of networks run on this host")
        yield number


def _address(name: str, addresses: tuple[IPv4Address, IPv6Address]) -> None:
    netlink.set_up(name)
    netlink.add_address(name, IPv4Interface(f"{addresses[0]}/30"))
    netlink.add_address(name, IPv6Interface(f"{addresses[1]}/64"))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=TIMEOUT_S)


@dataclass
class Zone(Namespace):
    port: Port


@dataclass
class Lan:
    """`zones` are of two owners, each with an address of both families where there are both."""

    settings: Settings
    internet: Internet
    zones: list[Zone] = field(default_factory=list)

    @property
    def bridge_mac(self) -> str:
        return addresses.mac(0, self.settings.key)


@contextmanager
def lan(
    name: str, openings: Sequence[Opening] = (), *, has_ipv6: bool = True, kind: str = "machines"
) -> Iterator[Lan]:
    settings = Settings(installation=own_name(f"test-{name}"))
    with ExitStack() as stack:
        outside = stack.enter_context(internet(settings.key))
        stack.callback(network.remove, settings)
        network6 = network.network6(settings) if has_ipv6 else None
        network.prepare(settings, network6, (), openings, ())
        found = Lan(settings, outside)
        for slot in (1, 2):
            port = Port(
                f"{settings.veth_prefix}{slot:x}",
                addresses.mac(slot, settings.key),
                addresses.address(settings.network, slot),
                addresses.address6(network6, slot) if network6 else None,
                kind,
            )
            space = stack.enter_context(namespace())
            network.admit(settings, port)
            network.attach(settings, port, space.pid)
            found.zones.append(Zone(space.process, port))
        yield found
