"""IPv6 of the machines' network: the way out where there is one, nothing where there is none."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from paas.errors import UserError
from paas.host.checks import ipv6 as checks
from paas.node.network import ipv6, netlink
from paas.node.network.ipv6 import Route
from paas.settings import Settings
from tests.paas.node import lan as lans
from tests.paas.node.lan import Lan, Namespace

ROUTES = """\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
fd120000000000000000000000000000 10 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000001     wg0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000001    eth2
"""


def test_forwarding_is_for_the_interfaces_that_lead_out_or_to_what_is_opened() -> None:
    known = list(ipv6.routes(ROUTES))
    assert Route(IPv6Network("::/0"), "eth0") in known
    assert "lo" not in [route.interface for route in known]
    assert ipv6.interfaces(known, []) == ["eth0"]
    assert ipv6.interfaces(known, [IPv6Network("fd12:3::/32")]) == ["eth0", "wg0"]


def test_each_installation_has_a_unique_local_network_or_the_operators() -> None:
    one, other = (Settings(installation=name).network6 for name in ("one", "other"))
    assert one is not None and other is not None and not one.overlaps(other)
    assert one.subnet_of(IPv6Network("fd00::/8")) and one.prefixlen == 64
    assert Settings(subnet6="none").network6 is None
    assert Settings(subnet6="2a00:1:2:3::/64").network6 == IPv6Network("2a00:1:2:3::/64")
    for wrong in ("10.0.0.0/8", "fd00::1/64", "fd00::/120", "some"):
        with pytest.raises(UserError, match="subnet6"):
            _ = Settings(subnet6=wrong).network6


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    if not Path("/proc/sys/net/ipv6").exists():
        pytest.skip("this kernel has no IPv6")
    with lans.lan("ipv6") as found:
        yield found


def addresses(space: Namespace, interface: str) -> list[str]:
    """Without their lengths, of IPv6."""
    argv = ["nsenter", f"--net=/proc/{space.pid}/ns/net", "ip", "-j", "-6", "address", "show"]
    links: list[dict[str, Any]] = json.loads(subprocess.check_output([*argv, "dev", interface]))
    return [item["local"] for link in links for item in link.get("addr_info", [])]


@pytest.mark.root
def test_a_zone_reaches_the_internet_with_the_hosts_address(lan: Lan) -> None:
    zone = lan.zones[0]
    server = lan.internet.open(socket.AF_INET6, socket.SOCK_STREAM)
    with server, zone.open(socket.AF_INET6, socket.SOCK_STREAM) as client:
        server.bind(("::", 0))
        server.listen()
        client.connect((str(lan.internet.address6), server.getsockname()[1]))
        connection, peer = server.accept()
        with connection:
            connection.settimeout(lans.TIMEOUT_S)
            client.sendall(b"hello" * 10_000)
            client.shutdown(socket.SHUT_WR)
            assert connection.makefile("rb").read() == b"hello" * 10_000
    assert IPv6Address(peer[0]) == lan.internet.near[1]


@pytest.mark.root
def test_a_zone_has_its_address_alone_and_never_one_of_its_own_making(lan: Lan) -> None:
    for zone in lan.zones:
        assert addresses(zone, "eth0") == [str(zone.port.address6)]


@pytest.mark.root
def test_the_hosts_own_ipv6_stays_as_it_is(lan: Lan) -> None:
    """Where the kernel can, forwarding is for the bridge and the way out alone."""
    conf = ipv6.SYSCTLS / lan.settings.bridge
    assert (conf / "accept_ra").read_text() == "0\n"
    if (conf / "force_forwarding").exists() and ipv6._read(ipv6.SYSCTLS / "all/forwarding") == "0":
        for name in (lan.settings.bridge, lan.internet.interface):
            assert (ipv6.SYSCTLS / name / "force_forwarding").read_text() == "1\n"
        assert (ipv6.SYSCTLS / "lo/force_forwarding").read_text() == "0\n"
    else:
        assert (ipv6.SYSCTLS / "all/forwarding").read_text() == "1\n"


@pytest.mark.root
def test_a_zone_has_no_ipv6_where_nothing_leads_out() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    with lans.lan("noipv6", has_ipv6=False) as found:
        zone = found.zones[0]
        assert addresses(zone, "eth0") == []
        with (
            zone.open(socket.AF_INET6, socket.SOCK_STREAM) as client,
            pytest.raises(OSError, match=r"unreachable|assign"),
        ):
            client.connect((str(found.internet.address6), 80))
        server = found.internet.open(socket.AF_INET, socket.SOCK_STREAM)
        with server, zone.open(socket.AF_INET, socket.SOCK_STREAM) as client:
            server.bind(("", 0))
            server.listen()
            client.connect((str(found.internet.address), server.getsockname()[1]))


@pytest.mark.root
def test_the_way_out_needs_a_route_and_an_address_that_is_more_than_link_local() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    with lans.namespace() as host:

        def story() -> list[IPv6Address | None]:
            found = [ipv6.way_out()]
            netlink.add_bridge("br0", "02:00:00:00:00:01", 1500)
            netlink.set_up("br0")
            netlink.add_address("br0", IPv6Interface("fe80::2/64"))
            netlink.add_default_route(IPv6Address("fe80::9"), "br0")
            found.append(ipv6.way_out())
            netlink.add_address("br0", IPv6Interface("fd01::2/64"))
            return [*found, ipv6.way_out()]

        assert host.run(story) == [None, None, IPv6Address("fd01::2")]


@pytest.mark.root
def test_a_host_that_listens_to_router_advertisements_goes_on_when_it_forwards() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    with lans.namespace() as host:

        def story() -> tuple[str, ...]:
            netlink.add_bridge("br0", "02:00:00:00:00:01", 1500)
            netlink.add_bridge("br1", "02:00:00:00:00:02", 1500)
            (ipv6.SYSCTLS / "br0/accept_ra").write_text("1")
            (ipv6.SYSCTLS / "br1/accept_ra").write_text("0")
            ipv6.forward_everywhere()
            names = ("br0/accept_ra", "br1/accept_ra", "all/forwarding")
            return tuple((ipv6.SYSCTLS / name).read_text().strip() for name in names)

        assert host.run(story) == ("2", "0", "1")


def test_the_doctor_says_what_ipv6_does_here(tmp_path: Path) -> None:
    name = f"test-doctor-{os.getpid()}"
    assert "subnet6 is none" in checks.ipv6(Settings(installation=name, subnet6="none")).text
    wrong = checks.ipv6(Settings(installation=name, subnet6="fd00::/120"))
    assert wrong.level == "problem" and "fd00::/120" in wrong.text
    found = checks.ipv6(Settings(installation=name))
    assert found.level == "ok"
    source = ipv6.way_out()
    assert (f"go out as {source}" if source else "IPv4 only") in found.text


@pytest.mark.root
def test_the_doctor_finds_no_way_out_where_there_is_none() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes networks")
    with lans.namespace() as host:
        found = host.run(lambda: checks.ipv6(Settings(installation=f"test-doctor-{os.getpid()}")))
    assert (found.level, found.text.partition(":")[0]) == ("ok", "machines have IPv4 only")


def test_an_address_of_an_interface_is_found_in_the_kernels_listing(tmp_path: Path) -> None:
    listing = tmp_path / "if_inet6"
    listing.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fd120000000000000000000000000001 07 40 00 82   pb-abc\n"
    )
    assert checks.has_address("pb-abc", IPv6Address("fd12::1"), listing)
    assert not checks.has_address("pb-abc", IPv6Address("::1"), listing)
    assert not checks.has_address("pb-abc", IPv6Address("fd12::1"), tmp_path / "none")
