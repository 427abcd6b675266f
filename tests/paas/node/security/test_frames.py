"""What a zone's interface may send, tried with every privilege in the zone's network, which no
process in a zone has: only honest frames reach the host's side, and only honest packets go out."""

import errno
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from paas.node.network import bridged, netlink, routed
from tests.paas.node import lan as lans
from tests.paas.node.lan import ETH_P_ALL, Lan, Zone
from tests.paas.node.security import frames
from tests.paas.node.security.conntrack import tracked
from tests.paas.node.security.frames import (
    BROADCAST,
    ETH_P_ARP,
    ETH_P_IP,
    ETH_P_IPV6,
    FRAGMENT,
    MORE,
)

pytestmark = pytest.mark.root

END = b"the last of all"
GRACE_S, PATIENCE_S = 0.3, 5.0
LINK_LOCAL = "fe80::1:2"
LLDP, STP_MAC = "01:80:c2:00:00:0e", "01:80:c2:00:00:00"
ICMP, ICMP6, TCP, UDP = 1, 58, 6, 17
FLOOD = 1500


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    if not Path("/proc/sys/net/ipv6").exists():
        pytest.skip("this kernel has no IPv6")
    with lans.lan("frames") as found:
        yield found


@contextmanager
def spy(interface: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as channel:
        channel.bind((interface, ETH_P_ALL))
        channel.settimeout(lans.TIMEOUT_S)
        yield channel


def until_the_end(channel: socket.socket) -> list[bytes]:
    """All frames until one that carries END, and what comes shortly after, on another processor."""
    found = []
    with suppress(TimeoutError):
        while True:
            found.append(channel.recv(4000))
            if END in found[-1]:
                channel.settimeout(GRACE_S)
    assert any(END in one for one in found)
    return found


def facts(lan: Lan) -> tuple[str, str, str, str, str]:
    """The first zone's MAC and addresses, the bridge's MAC and the gateway."""
    port = lan.zones[0].port
    gateway = str(lan.settings.network.network_address + 1)
    return port.mac, str(port.address), str(port.address6), lan.bridge_mac, gateway


def send(zone: Zone, sent: dict[bytes, bytes]) -> None:
    with zone.packets() as channel:
        for mark, one in sent.items():
            channel.send(one if mark in one else one + mark)


def passed(lan: Lan, sent: dict[bytes, bytes]) -> set[bytes]:
    """Marks of the frames that the host's side of the bridge gets to see."""
    mac, own, _, bridge, _ = facts(lan)
    last = frames.frame(bridge, mac, ETH_P_IP, v4(own, str(lan.internet.address), END))
    with spy(lan.settings.bridge) as channel:
        send(lan.zones[0], {**sent, END: last})
        seen = until_the_end(channel)
    return {mark for mark in sent if any(mark in one for one in seen)}


def v4(source: str, target: str, mark: bytes) -> bytes:
    return frames.ipv4(source, target, frames.udp(source, target, mark))


def v6(source: str, target: str, mark: bytes) -> bytes:
    return frames.ipv6(source, target, frames.udp(source, target, mark))


def test_a_port_speaks_under_its_own_name_alone(lan: Lan) -> None:
    mac, own, own6, bridge, gateway = facts(lan)
    other = lan.zones[1].port
    far, far6 = str(lan.internet.address), str(lan.internet.address6)
    honest = {
        b"good arp": frames.frame(BROADCAST, mac, ETH_P_ARP, frames.arp(mac, own, gateway)),
        b"good v4": frames.frame(bridge, mac, ETH_P_IP, v4(own, far, b"good v4")),
        b"good v6": frames.frame(bridge, mac, ETH_P_IPV6, v6(own6, far6, b"good v6")),
    }

    def arp(*words: object, sender: str = mac, target: str = BROADCAST) -> bytes:
        return frames.frame(target, sender, ETH_P_ARP, frames.arp(*words))  # type: ignore[arg-type]

    def packet(source: str, sender: str = mac, target: str = bridge) -> Callable[[bytes], bytes]:
        kind, make, to = (ETH_P_IPV6, v6, far6) if ":" in source else (ETH_P_IP, v4, far)
        return lambda mark: frames.frame(target, sender, kind, make(source, to, mark))

    false: dict[bytes, bytes | Callable[[bytes], bytes]] = {
        b"arp for another's address": arp(mac, str(other.address), gateway),
        b"arp as the gateway": arp(mac, gateway, str(other.address), 2),
        b"arp with another's mac": arp(other.mac, own, gateway),
        b"arp in another's frame": arp(mac, own, gateway, sender=other.mac),
        b"arp for another host address": arp(mac, own, "192.0.2.250"),
        b"arp to a neighbour": arp(mac, own, gateway, target=other.mac),
        b"reverse arp operation": arp(mac, own, gateway, 3),
        b"arp of another hardware": arp(mac, own, gateway, 1, 6),
        b"cut off": arp(mac, own, gateway)[:22],
        b"another's v4": packet(str(other.address)),
        b"the gateway's v4": packet(gateway),
        b"loopback's v4": packet("127.0.0.1"),
        b"nobody's v4": packet("0.0.0.0"),
        b"another's v6": packet(str(other.address6)),
        b"a link-local v6": packet(LINK_LOCAL),
        b"nobody's v6": packet("::"),
        b"loopback's v6": packet("::1"),
        b"v4 in another's frame": packet(own, sender=other.mac),
        b"v6 in another's frame": packet(own6, sender=other.mac),
        b"v4 as the bridge": packet(own, sender=bridge),
        b"v4 to a neighbour's mac": packet(own, target=other.mac),
        b"v6 to a neighbour's mac": packet(own6, target=other.mac),
    }
    sent = {mark: make(mark) if callable(make) else make for mark, make in false.items()}
    assert passed(lan, {**sent, **honest}) == set(honest)


def test_there_is_no_broadcast_no_multicast_and_no_other_protocol(lan: Lan) -> None:
    mac, own, own6, bridge, _ = facts(lan)
    many, many6, all_nodes = "01:00:5e:00:00:fb", "33:33:00:00:00:01", "ff02::1"
    advertised = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    report = frames.icmp6(own6, "ff02::16", 143, bytes(4))
    sent = {
        b"dhcp": (BROADCAST, ETH_P_IP, v4(own, "255.255.255.255", b"dhcp")),
        b"mdns": (many, ETH_P_IP, v4(own, "224.0.0.251", b"mdns")),
        b"igmp": (many, ETH_P_IP, frames.ipv4(own, "224.0.0.22", b"igmp", protocol=2)),
        b"v6 multicast": (many6, ETH_P_IPV6, v6(own6, all_nodes, b"v6 multicast")),
        b"router advertisement": (
            many6,
            ETH_P_IPV6,
            frames.ipv6(
                LINK_LOCAL,
                all_nodes,
                frames.icmp6(LINK_LOCAL, all_nodes, 134, advertised),
                following=ICMP6,
            ),
        ),
        b"mld report": (many6, ETH_P_IPV6, frames.ipv6(own6, "ff02::16", report, following=ICMP6)),
        b"tagged": (bridge, 0x8100, struct.pack("!HH", 7, ETH_P_IP)),
        b"tagged twice": (bridge, 0x88A8, struct.pack("!HHHH", 7, 0x8100, 7, ETH_P_IP)),
        b"mpls": (bridge, 0x8847, bytes(8)),
        b"pppoe": (bridge, 0x8863, bytes(8)),
        b"eapol": (bridge, 0x888E, bytes(8)),
        b"lldp": (LLDP, 0x88CC, bytes(8)),
        b"spanning tree": (STP_MAC, 38, b"\x42\x42\x03" + bytes(35)),
        b"reverse arp": (BROADCAST, 0x8035, bytes(28)),
        b"length instead of a kind": (bridge, 60, bytes(60)),
    }
    assert passed(lan, {mark: frames.frame(to, mac, kind, body)
                        for mark, (to, kind, body) in sent.items()}) == set()  # fmt: skip


def test_packets_carry_no_options_no_extensions_and_no_tunnels(lan: Lan) -> None:
    mac, own, own6, bridge, _ = facts(lan)
    far, far6 = str(lan.internet.address), str(lan.internet.address6)
    loose, alert = bytes([131, 7, 4, *IPv4Address(own).packed, 0]), bytes([148, 4, 0, 0])
    inner, inner6 = v4(own, far, b""), v6(own6, far6, b"")
    datagram6 = frames.udp(own6, far6, b"")
    sent = {
        b"source route": frames.ipv4(own, far, b"", options=loose),
        b"router alert": frames.ipv4(own, far, b"", options=alert),
        **{
            f"protocol {number} of v4.".encode(): frames.ipv4(own, far, body, protocol=number)
            for number, body in {2: b"", 4: inner, 41: inner6, 47: b"", 50: b"", 112: b"",
                                 132: b"", 136: b""}.items()
        },
        **{
            f"header {number} of v6.".encode(): frames.ipv6(
                own6, far6, frames.extension(UDP) + datagram6, following=number
            )
            for number in (0, 43, 60, 135, 139, 140)
        },
        **{
            f"protocol {number} of v6.".encode(): frames.ipv6(own6, far6, body, following=number)
            for number, body in {4: inner, 41: inner6, 47: b"", 59: b"", 132: b""}.items()
        },
    }  # fmt: skip
    kinds = {mark: ETH_P_IPV6 if b"v6" in mark else ETH_P_IP for mark in sent}
    assert passed(lan, {mark: frames.frame(bridge, mac, kinds[mark], body)
                        for mark, body in sent.items()}) == set()  # fmt: skip


def arrived(lan: Lan, sent: dict[bytes, bytes]) -> set[bytes]:
    """Marks of the packets that come out at the internet, whatever their addresses there."""
    mac, own, _, bridge, _ = facts(lan)
    with lan.internet.packets() as channel:
        packets = {**sent, END: v4(own, str(lan.internet.address), END)}
        wrapped = {
            mark: frames.frame(bridge, mac, ETH_P_IPV6 if one[0] >> 4 == 6 else ETH_P_IP, one)
            for mark, one in packets.items()
        }
        with lan.zones[0].packets() as zone:
            for one in wrapped.values():
                zone.send(one)
        seen = until_the_end(channel)
    return {mark for mark in sent if any(mark in one for one in seen)}


def test_only_what_begins_a_connection_or_belongs_to_one_goes_out(lan: Lan) -> None:
    _, own, own6, _, _ = facts(lan)
    far, far6 = str(lan.internet.address), str(lan.internet.address6)
    other, other6 = str(lan.zones[1].port.address), str(lan.zones[1].port.address6)
    forged, forged6 = v4(other, far, b""), v6(other6, far6, b"")
    hidden = frames.fragment6(43, 0, 77) + frames.extension(UDP)

    def error(kind: int, code: int, mark: bytes) -> bytes:
        return frames.ipv4(
            own, far, frames.icmp(kind, code, bytes(4) + forged + mark), protocol=ICMP
        )

    def message6(kind: int, mark: bytes) -> bytes:
        body = bytes(4) + (forged6 if kind < 128 else bytes(16)) + mark
        return frames.ipv6(own6, far6, frames.icmp6(own6, far6, kind, body), following=ICMP6)

    honest = {
        b"datagram.": v4(own, far, b"datagram."),
        b"datagram of v6": v6(own6, far6, b"datagram of v6"),
        b"echo.": frames.ipv4(own, far, frames.icmp(8, 0, bytes(4) + b"echo."), protocol=ICMP),
        b"echo of v6": message6(128, b"echo of v6"),
    }
    false = {
        b"reset of nothing": frames.ip(
            own, far, frames.tcp_reset(own, far, b"reset of nothing"), TCP
        ),
        b"reset of nothing in v6": frames.ip(
            own6, far6, frames.tcp_reset(own6, far6, b"reset of nothing in v6"), TCP
        ),
        b"unreachable": error(3, 3, b"unreachable"),
        b"redirect": error(5, 1, b"redirect"),
        b"timestamp": error(13, 0, b"timestamp"),
        b"answer to nothing": error(0, 0, b"answer to nothing"),
        b"v6 unreachable": message6(1, b"v6 unreachable"),
        b"v6 too big": message6(2, b"v6 too big"),
        b"v6 router advertisement": message6(134, b"v6 router advertisement"),
        b"v6 neighbour advertisement": message6(136, b"v6 neighbour advertisement"),
        b"v6 redirect": message6(137, b"v6 redirect"),
        b"routing header in a fragment": frames.ipv6(
            own6,
            far6,
            hidden + frames.udp(own6, far6, b"routing header in a fragment"),
            following=FRAGMENT,
        ),
    }
    assert arrived(lan, {**false, **honest}) == set(honest)


def test_special_ranges_of_ipv6_are_closed(lan: Lan) -> None:
    """A route leads to the internet's interface where that can be: only the wall can stop it."""
    _, _, own6, _, _ = facts(lan)
    number = int(lan.internet.address) & 0xFF  # Another on this host may be trying the same.
    networks = "::ffff:8.8.8.0 64:ff9b::808:800 100:: 2001:: 2001:db8:: 2002:a00:1:: 3fff::"
    networks += " 5f00:: fc00:: fd00:ec2:: fec0::"
    targets = [IPv6Address(network) + number for network in networks.split()]
    for target in targets:
        words = ("route", "add", f"{target}/128", "dev", lan.internet.interface)
        subprocess.run(["ip", "-6", *words], check=True, timeout=lans.TIMEOUT_S)
        netlink.add_neighbour(lan.internet.interface, target, "02:00:00:00:00:99")
    named = [str(target) for target in targets] + ["::1", "fe80::1", "ff0e::1"]
    marks = {f"to {target}.".encode(): target for target in named}
    assert arrived(lan, {mark: v6(own6, to, mark) for mark, to in marks.items()}) == set()


def test_a_fragmented_datagram_arrives(lan: Lan) -> None:
    _, own, own6, _, _ = facts(lan)
    far, far6 = str(lan.internet.address), str(lan.internet.address6)
    for source, target, mark in ((own, far, b"part by part"), (own6, far6, b"part of v6")):
        whole = frames.udp(source, target, b"x" * 1000 + mark)
        head, tail = whole[:600], whole[600:]
        if ":" in source:
            parts = [
                frames.ipv6(
                    source, target, frames.fragment6(UDP, field, 5) + part, following=FRAGMENT
                )
                for field, part in ((1, head), (600, tail))
            ]
        else:
            parts = [
                frames.ipv4(source, target, part, fragment=field, number=5)
                for field, part in ((MORE, head), (600 // 8, tail))
            ]
        sent = {b"no mark of any": parts[0], mark: parts[1]}
        assert arrived(lan, sent) == {mark}


def test_one_zone_can_not_fill_the_hosts_memory_for_fragments(lan: Lan) -> None:
    mac, own, own6, bridge, _ = facts(lan)
    mark = b"never the rest"
    flood = []
    for number in range(FLOOD):
        first = frames.ipv4(own, "8.8.8.8", mark, fragment=MORE, number=number)
        first6 = frames.ipv6(
            own6, "2fff::1", frames.fragment6(UDP, 1, number) + mark, following=FRAGMENT
        )
        flood += [
            frames.frame(bridge, mac, ETH_P_IP, first),
            frames.frame(bridge, mac, ETH_P_IPV6, first6),
        ]
    last = frames.frame(bridge, mac, ETH_P_IP, v4(own, str(lan.internet.address), END))
    with spy(lan.settings.bridge) as channel, lan.zones[0].packets() as zone:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
        start_s = time.monotonic()
        for one in flood:
            zone.send(one)
        zone.send(last)
        seen = sum(mark in one for one in until_the_end(channel))
        took_s = time.monotonic() - start_s
    assert 0 < seen <= bridged.FRAGMENTS_PER_SECOND_MAX * (2 + took_s) + 1


def test_a_zone_does_not_see_what_is_for_others(lan: Lan) -> None:
    """Also not when the bridge has not heard of the receiver for long, and would ask all ports."""
    unknown = "02:00:00:00:77:77"
    other = lan.zones[1].port
    with lan.zones[0].packets() as listening, spy(lan.settings.bridge) as channel:
        for target, mark in ((unknown, b"for nobody"), (other.mac, b"for the neighbour")):
            channel.send(frames.frame(target, lan.bridge_mac, ETH_P_IP, mark + bytes(60)))
        channel.send(frames.frame(lan.zones[0].port.mac, lan.bridge_mac, ETH_P_IP, END + bytes(60)))
        seen = until_the_end(listening)
    assert not [one for one in seen if b"for " in one]


def test_a_zone_can_not_draw_a_neighbours_packets_to_itself(lan: Lan) -> None:
    """By speaking as its MAC, by claiming its address, or by advertising itself as a router."""
    mac, own, own6, bridge, gateway = facts(lan)
    other = lan.zones[1].port
    victim, victim6 = str(other.address), str(other.address6)
    gateway6 = str(lan.settings.network6.network_address + 1)  # type: ignore[union-attr]
    claim = IPv6Address(victim6).packed + b"\x02\x01" + frames.mac(mac)
    advertised = frames.icmp6(own6, gateway6, 136, b"\x60\0\0\0" + claim)
    send(
        lan.zones[0],
        {
            b"1": frames.frame(BROADCAST, other.mac, ETH_P_ARP, frames.arp(mac, own, gateway)),
            b"2": frames.frame(BROADCAST, mac, ETH_P_ARP, frames.arp(mac, victim, gateway, 2)),
            b"3": frames.frame(LLDP, other.mac, 0x88CC, bytes(60)),
            b"4": frames.frame(
                bridge, mac, ETH_P_IPV6, frames.ipv6(own6, gateway6, advertised, following=ICMP6)
            ),
        },
    )
    for family, address in ((socket.AF_INET, victim), (socket.AF_INET6, victim6)):
        with (
            lan.zones[1].open(family, socket.SOCK_DGRAM) as receiver,
            socket.socket(family, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind((address, 0))
            sender.sendto(b"to the victim", (address, receiver.getsockname()[1]))
            assert receiver.recv(100) == b"to the victim"


@pytest.mark.parametrize("version", [4, 6])
def test_a_zone_does_not_fill_the_hosts_table_of_neighbours(lan: Lan, version: int) -> None:
    """Entries that wait for an answer hold their place; those that ask for none give way."""
    settings, zone = lan.settings, lan.zones[0]
    network = settings.network if version == 4 else settings.network6
    assert network is not None
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with (
        zone.open(family, socket.SOCK_DGRAM) as plain,
        zone.open(family, socket.SOCK_DGRAM) as direct,
    ):
        direct.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        direct.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
        for number in range(300, 330):
            for sender in (plain, direct):
                with suppress(OSError):
                    sender.sendto(b"anybody?", (str(network.network_address + number), 9))
        with suppress(OSError):
            direct.sendto(b"anybody?", (str(lan.internet.address), 9))
    argv = ["ip", "-j", f"-{version}", "neighbour", "show", "nud", "all", "dev", "eth0"]
    found = zone.run(lambda: json.loads(subprocess.check_output(argv, timeout=10)))
    assert {state for item in found for state in item["state"]} <= {"NOARP", "PERMANENT"}
    assert str(network.network_address + 1) in {item["dst"] for item in found}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_no_zone_reaches_another_or_any_address_of_the_host(
    lan: Lan, family: socket.AddressFamily
) -> None:
    version = 4 if family == socket.AF_INET else 6
    output = subprocess.check_output(["ip", f"-{version}", "-o", "address"], timeout=10, text=True)
    addresses = [line.split()[3].partition("/")[0] for line in output.splitlines()]
    port = lan.zones[1].port
    neighbour = str(port.address if version == 4 else port.address6)
    assert len(addresses) > 2
    with (
        socket.socket(family, socket.SOCK_DGRAM) as host,
        lan.zones[1].open(family, socket.SOCK_DGRAM) as other,
        lan.zones[0].open(family, socket.SOCK_DGRAM) as zone,
    ):
        host.bind(("", 0))
        other.bind(("", host.getsockname()[1]))
        for address in [*addresses, neighbour]:
            with suppress(OSError):
                zone.sendto(b"anybody?", (address, host.getsockname()[1]))
        # What is sent by the host itself comes after: it waited behind nothing.
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.sendto(b"the last", (neighbour, other.getsockname()[1]))
            own.sendto(b"the last", (addresses[0], host.getsockname()[1]))
        for receiver in (host, other):
            receiver.settimeout(lans.TIMEOUT_S)
            assert receiver.recv(100) == b"the last"


def test_one_zone_can_not_fill_the_hosts_table_of_connections_with_ipv6(lan: Lan) -> None:
    with lan.zones[0].open(socket.AF_INET6, socket.SOCK_DGRAM) as channel:
        for number in range(10_000, 10_000 + routed.FLOWS_MAX + 1000):
            with suppress(OSError):
                channel.sendto(b"x", (str(lan.internet.address6), number))
    assert 3000 < tracked(str(lan.zones[0].port.address6)) <= routed.FLOWS_MAX


def test_one_zone_can_not_fill_it_with_connections_that_end_at_once(lan: Lan) -> None:
    """Nobody listens there: the host does not count them any more, but remembers them."""
    target = (str(lan.internet.address), 9)

    def refused() -> int:
        for count in range(routed.FLOWS_MAX + 2000):
            with socket.socket() as channel:
                channel.settimeout(PATIENCE_S)
                if channel.connect_ex(target) != errno.ECONNREFUSED:
                    return count
        return count + 1

    start_s = time.monotonic()
    count = lan.zones[1].run(refused, lans.TIMEOUT_S * 2)
    took_s = time.monotonic() - start_s
    allowed = routed.FLOWS_MAX + routed.FLOWS_PER_SECOND_MAX * (1 + took_s)
    assert routed.FLOWS_MAX // 2 < count <= allowed
