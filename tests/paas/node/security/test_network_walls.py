"""Nothing leads from a zone to the host or to other zones, or out under a false name."""

import contextlib
import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from paas.node.network import firewall, netlink

from .conftest import Walls, source, wait

pytestmark = pytest.mark.root

REFUSALS = {"silence", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EACCES", "ENOENT", "ENONET"}
METADATA = ["169.254.169.254:80", "169.254.170.2:80", "100.100.100.200:80", "fd00:ec2::254:80"]
ETH_P_ALL, ETH_P_IP, ETH_P_ARP = 3, 0x0800, 0x0806
PACKET_OUTGOING = 4
NETLINK_NETFILTER, NLM_REQUEST_DUMP, CONNTRACK_GET = 12, 0x301, 0x101
NLMSG_ERROR, NLMSG_DONE = 2, 3
SPY_TIMEOUT_S = 0.7
OUTSIDE = "198.18.7.9"


def reach(walls: Walls, zone: dict[str, Any], words: list[str]) -> dict[str, str]:
    found: dict[str, str] = walls.python(
        zone["uuid"], source("network"), *words, working_directory="/"
    )
    return found


def host_addresses() -> list[str]:
    listing = json.loads(subprocess.check_output(["ip", "-j", "address"], timeout=10))
    return [
        address["local"]
        for link in listing
        for address in link.get("addr_info", [])
        if address.get("scope") == "global"
    ]


@contextmanager
def listeners() -> Iterator[int]:
    """TCP on every address of the host, IPv4 and IPv6, and a UDP echo on the same port."""
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("", 0), family=socket.AF_INET6,
                                                       dualstack_ipv6=True))  # fmt: skip
        port: int = tcp.getsockname()[1]
        udp = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("", port))
        udp.settimeout(0.2)
        done = threading.Event()

        def echo() -> None:
            while not done.is_set():
                try:
                    udp.sendto(*udp.recvfrom(100))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=echo)
        thread.start()
        try:
            yield port
        finally:
            done.set()
            thread.join(5)


@pytest.mark.parametrize("who", ["app", "capable"])
def test_no_address_of_the_host_answers_a_zone(walls: Walls, who: str) -> None:
    with listeners() as port:
        addresses = host_addresses()
        assert str(walls.node.settings.network.network_address + 1) in addresses
        own = reach_from_host([f"tcp:{addresses[0]}:{port}", f"udp:{addresses[0]}:{port}"])
        assert set(own.values()) == {"done"}
        words = [
            f"{kind}:{address}:{port}"
            for kind in ("tcp", "udp")
            for address in [*addresses, "127.0.0.1", "::1"]
        ]
        found = reach(walls, getattr(walls, who), words)
    assert set(found) == set(words)
    assert {word: end for word, end in found.items() if end not in REFUSALS} == {}


def reach_from_host(words: list[str]) -> dict[str, str]:
    argv = ["python3", "-c", source("network"), *words]
    found: dict[str, str] = json.loads(subprocess.check_output(argv, timeout=20))
    return found


@pytest.mark.parametrize("who", ["app", "capable"])
def test_no_zone_reaches_another(walls: Walls, who: str) -> None:
    other = walls.neighbour["nics"][0]["ip"]
    assert reach(walls, walls.neighbour, [f"tcp:{other}:5000"]) == {f"tcp:{other}:5000": "done"}
    words = [f"tcp:{other}:5000", f"udp:{other}:5000", f"udp:{other}:53"]
    found = reach(walls, getattr(walls, who), words)
    assert {word for word, end in found.items() if end not in REFUSALS} == set()


def test_no_zone_pings_another_or_the_host(walls: Walls) -> None:
    gateway = str(walls.node.settings.network.network_address + 1)
    answered = walls.python(
        walls.capable["uuid"],
        "import json, select, socket, struct, sys\n"
        "raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
        "for address in sys.argv[1:]:\n"
        "    raw.sendto(struct.pack('!BBHHH', 8, 0, 0xF7FE, 0, 1), (address, 0))\n"
        "found = []\n"
        "while select.select([raw], [], [], 1)[0]:\n"
        "    packet, (address, _) = raw.recvfrom(1000)\n"
        "    found += [address] if packet[20] == 0 else []\n"
        "print(json.dumps(found))",
        walls.neighbour["nics"][0]["ip"],
        gateway,
        walls.capable["nics"][0]["ip"],
        user="root",
        working_directory="/",
    )
    assert answered == [walls.capable["nics"][0]["ip"]]


def test_private_ranges_and_metadata_are_closed(walls: Walls) -> None:
    private = ["10.255.0.9", "172.16.0.9", "192.168.0.9", "100.64.0.9", "198.18.0.9"]
    words = [f"tcp:{target}" for target in METADATA]
    words += [f"tcp:{address}:{port}" for address in private for port in (22, 80, 8081)]
    with spy(outer_interface()) as channel:
        found = reach(walls, walls.app, words)
        left = {frame[30:34] for frame in seen(channel, b"", going_out=True)}
    assert set(found.values()) <= REFUSALS
    assert not left & {IPv4Address(word.split(":")[1]).packed for word in words if "." in word}


def test_the_platforms_own_sockets_are_out_of_reach(walls: Walls) -> None:
    settings = walls.node.settings
    words = [
        f"{kind}:{path}"
        for kind in ("unix", "abstract")
        for path in (
            settings.node_socket,
            settings.control_socket,
            settings.router_socket,
            walls.node.socket(walls.neighbour["uuid"]),
            "/var/run/docker.sock",
            "/run/systemd/private",
        )
    ]
    found = reach(walls, walls.app, words)
    assert set(found.values()) <= {"ENOENT", "ECONNREFUSED"}


@contextmanager
def spy(interface: str) -> Iterator[socket.socket]:
    """Sees what the host's side takes in from the bridge, after its filter."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as channel:
        channel.bind((interface, ETH_P_ALL))
        channel.settimeout(SPY_TIMEOUT_S)
        yield channel


def seen(channel: socket.socket, wanted: bytes, *, going_out: bool = False) -> list[bytes]:
    """Frames with `wanted` in them that came (or went out), all until now."""
    found = []
    deadline_s = time.monotonic() + SPY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(TimeoutError):
            frame, (_, _, kind, *_) = channel.recvfrom(2000)
            if wanted in frame and (kind == PACKET_OUTGOING) == going_out:
                found.append(frame)
    return found


def outer_interface() -> str:
    routes = json.loads(subprocess.check_output(["ip", "-j", "route", "get", "8.8.8.8"]))
    return str(routes[0]["dev"])


def test_a_raw_socket_can_not_borrow_an_address(walls: Walls) -> None:
    own = walls.capable["nics"][0]["ip"]
    borrowed = [walls.neighbour["nics"][0]["ip"], "8.8.8.8", "127.0.0.1"]
    with spy(walls.node.settings.bridge) as channel:
        walls.python(
            walls.capable["uuid"],
            source("spoof"),
            *(OUTSIDE, *borrowed, own),
            user="root",
            working_directory="/",
        )
        frames = seen(channel, b"spoof ")
    assert len(frames) == 1
    assert f"spoof {own}".encode() in frames[0]


def test_a_zones_interface_is_held_to_its_mac_and_address(walls: Walls) -> None:
    """With every privilege in the zone's network, which no process in the zone has."""
    nic, other = walls.capable["nics"][0], walls.neighbour["nics"][0]
    gateway = str(walls.node.settings.network.network_address + 1)
    mac, false_mac = _mac(nic["mac"]), _mac(other["mac"])
    frames = {
        b"good arp": _arp(mac, mac, nic["ip"], gateway),
        b"arp for another's address": _arp(mac, mac, other["ip"], gateway),
        b"arp with another's mac": _arp(mac, false_mac, nic["ip"], gateway),
        b"arp for another host address": _arp(mac, mac, nic["ip"], "192.0.2.2"),
        b"arp as the gateway": _arp(mac, mac, gateway, other["ip"], operation=2),
        b"good ip": _ip(mac, nic["ip"], b"good ip"),
        b"frame with another's mac": _ip(false_mac, nic["ip"], b"frame with another's mac"),
        b"another's address": _ip(mac, other["ip"], b"another's address"),
        b"tagged": _tagged(_ip(mac, nic["ip"], b"tagged")),
        b"ipv6": _frame(mac, 0x86DD, bytes(40)),
        b"another protocol": _frame(mac, 0x88CC, b""),
    }
    with spy(walls.node.settings.bridge) as channel:
        wait_in_namespace(
            walls.capable["pid"], [_marked(frame, mark) for mark, frame in frames.items()]
        )
        passed = seen(channel, b"")
    arrived = {mark for mark in frames if any(frame.endswith(mark) for frame in passed)}
    assert arrived == {b"good arp", b"good ip"}


def wait_in_namespace(pid: int, frames: list[bytes]) -> None:
    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as channel:
            channel.bind(("eth0", 0))
            for frame in frames:
                channel.send(frame)

    netlink.in_namespace_of(pid, send)


def test_one_zone_can_not_fill_the_hosts_table_of_connections(walls: Walls) -> None:
    """6,000 datagrams to as many ports outside: the host tracks what one zone may have."""
    walls.python(
        walls.app["uuid"],
        "import json, socket\n"
        "channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "sent = 0\n"
        "for port in range(10000, 16000):\n"
        "    try:\n"
        "        channel.sendto(b'x', ('203.1.113.1', port)); sent += 1\n"
        "    except OSError: pass\n"
        "print(json.dumps(sent))",
    )
    assert 3000 < tracked(walls.app["nics"][0]["ip"]) <= firewall.FLOWS_MAX
    assert wait(walls.node.client.get(walls.app["uuid"]))["state"] == "running"


def tracked(address: str) -> int:
    """Connections of an address in the host's table (ctnetlink: a dump of IPv4)."""
    request = struct.pack(
        "=IHHIIBBH", 20, CONNTRACK_GET, NLM_REQUEST_DUMP, 1, 0, socket.AF_INET, 0, 0
    )
    count, packed = 0, IPv4Address(address).packed
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        channel.settimeout(5)
        channel.send(request)
        while True:
            data = channel.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    assert kind == NLMSG_DONE
                    return count
                count += packed in data[:length]
                data = data[(length + 3) & ~3 :]


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _frame(sender: bytes, kind: int, payload: bytes) -> bytes:
    return b"\xff" * 6 + sender + struct.pack("!H", kind) + payload


def _arp(frame_mac: bytes, mac: bytes, address: str, target: str, operation: int = 1) -> bytes:
    body = struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, operation)
    body += mac + IPv4Address(address).packed + bytes(6) + IPv4Address(target).packed
    return _frame(frame_mac, ETH_P_ARP, body)


def _marked(frame: bytes, mark: bytes) -> bytes:
    return frame if frame.endswith(mark) else frame + mark


def _ip(mac: bytes, address: str, payload: bytes) -> bytes:
    first = struct.pack("!BBHHHBB", 0x45, 0, 28 + len(payload), 1, 0, 64, socket.IPPROTO_UDP)
    last = IPv4Address(address).packed + IPv4Address(OUTSIDE).packed
    total = sum(struct.unpack("!9H", first + last))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    header = first + struct.pack("!H", checksum) + last
    return _frame(mac, ETH_P_IP, header + struct.pack("!4H", 9, 9, 8 + len(payload), 0) + payload)


def _tagged(frame: bytes) -> bytes:
    return frame[:12] + struct.pack("!HH", 0x8100, 7) + frame[12:]
