"""Nothing leads from a zone to the host or to other zones, or out under a false name."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest

from paas.node.network import routed
from tests.paas.node.security.conftest import Walls, source, wait
from tests.paas.node.security.conntrack import tracked

pytestmark = pytest.mark.root

REFUSALS = {"silence", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EACCES", "ENOENT", "ENONET"}
METADATA = ["169.254.169.254:80", "169.254.170.2:80", "100.100.100.200:80", "fd00:ec2::254:80"]
ETH_P_ALL = 3
PACKET_OUTGOING = 4
ENDED = 50
"""Connections of earlier tests that have ended are not counted for the zone."""
SPY_TIMEOUT_S = 0.7
ANSWERS = {"PATIENCE_S": "30"}
"""For what will answer: silence is not waited for."""
OUTSIDE = "198.18.7.9"


def reach(
    walls: Walls, zone: dict[str, Any], words: list[str], **environment: str
) -> dict[str, str]:
    found: dict[str, str] = walls.python(
        zone["uuid"],
        source("network"),
        *words,
        working_directory="/",
        environment=environment,
    )
    return found


def host_addresses() -> list[str]:
    listing = json.loads(subprocess.check_output(["ip", "-j", "address"], timeout=10))
    return [
        address["local"]
        for link in listing
        for address in link.get("addr_info", [])
        if address.get("scope") in ("global", "site")
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
    shown = subprocess.check_output(argv, timeout=60, env=os.environ | ANSWERS)
    found: dict[str, str] = json.loads(shown)
    return found


def test_vmadm_and_sysinfo_show_both_addresses(walls: Walls) -> None:
    settings = walls.node.settings
    assert settings.network6 is not None
    nic = walls.app["nics"][0]
    number = int(IPv4Address(nic["ip"])) - int(settings.network.network_address)
    assert nic["ips"] == [f"{nic['ip']}/16", f"{settings.network6[number]}/64"]
    gateways = [str(settings.network.network_address + 1), str(settings.network6[1])]
    assert nic["gateways"] == gateways
    bridge = wait(walls.node.client.sysinfo())["Virtual Network Interfaces"][settings.bridge]
    assert [bridge["ip4addr"], bridge["ip6addr"]] == gateways


def test_a_zone_reaches_the_internet_over_ipv4_and_ipv6(walls: Walls) -> None:
    """As an app does: Node.js by a URL. Outside it has the host's address."""
    families = {socket.AF_INET: walls.internet.address, socket.AF_INET6: walls.internet.address6}
    for family, near in zip(families, walls.internet.near, strict=True):
        with walls.internet.open(family, socket.SOCK_STREAM) as server:
            server.bind(("", 0))
            server.listen()
            host = families[family]
            name = f"[{host}]" if host.version == 6 else str(host)
            url = f"http://{name}:{server.getsockname()[1]}/"
            with ThreadPoolExecutor(1) as pool:
                answered = pool.submit(_answer_once, server)
                code, text = walls.run(
                    walls.app["uuid"],
                    "node",
                    "-e",
                    "fetch(process.argv[1]).then(a => a.text()).then(console.log)",
                    url,
                )
                assert (code, text.strip()) == (0, "hello"), text
                assert ip_address(answered.result(30)) == near


def _answer_once(server: socket.socket) -> str:
    connection, peer = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    return str(peer[0])


@pytest.mark.parametrize("who", ["app", "capable"])
def test_no_zone_reaches_another(walls: Walls, who: str) -> None:
    others = [item.partition("/")[0] for item in walls.neighbour["nics"][0]["ips"]]
    own = [f"tcp:{other}:5000" for other in others]
    assert reach(walls, walls.neighbour, own, **ANSWERS) == dict.fromkeys(own, "done")
    words = [f"{kind}:{other}:5000" for kind in ("tcp", "udp") for other in others]
    found = reach(walls, getattr(walls, who), [*words, f"udp:{others[0]}:53"])
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
    assert 3000 < tracked(walls.app["nics"][0]["ip"]) <= routed.FLOWS_MAX + ENDED
    assert wait(walls.node.client.get(walls.app["uuid"]))["state"] == "running"
