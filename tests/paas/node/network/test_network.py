"""The firewall's text and what is opened in it."""

import os
import re
import subprocess
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import text

from paas.errors import UserError
from paas.node.network import addresses, firewall, foreign, openings, ranges
from paas.node.network.firewall import Lan, Opening
from tests.paas.node.lan import namespace

LAN = Lan("paas_t", "pb-t", "pvt", "02:00:00:00:00:01", IPv4Network("10.99.0.0/16"))
LAN6 = replace(LAN, network6=IPv6Network("fd99::/64"))


def test_resolvers_and_openings_stand_before_the_closed_ranges() -> None:
    text = firewall.rules(
        LAN6,
        [IPv4Address("10.1.1.1"), ip_address("fd01::53")],
        [
            Opening(IPv4Network("10.2.0.0/16"), 443, "builds"),
            Opening(IPv4Network("10.3.0.0/16")),
            Opening(IPv6Network("fd02::/16"), 443, "builds"),
        ],
    )
    closed = text.index("ip daddr { 0.0.0.0/8, 10.0.0.0/8")
    for line in (
        "ip daddr 10.1.1.1 udp dport 53 accept",
        "ip saddr @builds_ip ip daddr 10.2.0.0/16 tcp dport 443 accept",
        "ip daddr 10.3.0.0/16 accept",
        "ip6 daddr fd01::53 tcp dport 53 accept",
        "ip6 saddr @builds_ip6 ip6 daddr fd02::/16 tcp dport 443 accept",
    ):
        assert text.index(line) < closed


def test_without_an_ipv6_network_the_rules_name_nothing_of_it() -> None:
    text = firewall.rules(LAN, [ip_address("fd01::53")], [Opening(IPv6Network("fd02::/16"))])
    assert "meta nfproto ipv6 drop" in text
    assert "ip6" not in text and "fd0" not in text


@pytest.mark.parametrize(
    ("address", "closed"),
    [
        ("8.8.8.8", False),
        ("100.64.0.1", True),
        ("2606:4700::1111", False),
        ("2a00::1", False),
        ("::1", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", True),
        ("2001::1", True),
        ("2001:200::1", False),
        ("2001:db8::1", True),
        ("2002:a00:1::", True),
        ("5f00::1", True),
        ("fd00:ec2::254", True),
        ("fe80::1", True),
        ("ff02::1", True),
    ],
)
def test_what_is_not_the_public_internet_is_closed(address: str, closed: bool) -> None:
    assert ranges.is_closed(ip_address(address)) is closed


def test_a_registry_with_a_private_address_is_opened_for_builds_only(tmp_path: Path) -> None:
    npmrc = tmp_path / "npmrc"
    npmrc.write_text("registry=http://10.9.8.7:4873/\n@a:registry = http://127.0.0.1:1/\n")
    environment = {"HTTPS_PROXY": "http://192.168.1.1:3128"}
    found = openings.registry_openings([npmrc, tmp_path / "none"], environment)
    assert Opening(IPv4Network("10.9.8.7/32"), 4873, "builds") in found
    assert Opening(IPv4Network("192.168.1.1/32"), 3128, "builds") in found
    assert not any(opening.network.is_loopback for opening in found)


def test_a_registry_with_a_unique_local_address_is_opened_for_builds(tmp_path: Path) -> None:
    npmrc = tmp_path / "npmrc"
    npmrc.write_text("registry=http://[fd12::7]:4873/\n@a:registry=http://[::1]:1/\n")
    found = openings.registry_openings([npmrc], {})
    assert found == [Opening(IPv6Network("fd12::7/128"), 4873, "builds")]


def test_the_operator_opens_ranges() -> None:
    text = "10.1.0.0/16, 10.2.3.4:5432, fd12::/16,[fd12::3]:5432, [fd12::3], fd12::1"
    found = openings.operator_openings({"PAAS_OPEN_RANGES": text})
    assert [(str(opening.network), opening.port) for opening in found] == [
        ("10.1.0.0/16", None),
        ("10.2.3.4/32", 5432),
        ("fd12::/16", None),
        ("fd12::3/128", 5432),
        ("fd12::3/128", None),
        ("fd12::1/128", None),
    ]


@pytest.mark.parametrize(
    "wrong", ["10.1.0.0/99", "fd12::/999", "[10.1.1.1", "[fd12::1]:x", "1.2.3.4:", "[]", ":1"]
)
def test_an_opening_that_is_none_is_refused_with_its_text(wrong: str) -> None:
    with pytest.raises(UserError, match=re.escape(wrong)):
        openings.operator_openings({"PAAS_OPEN_RANGES": wrong})


@given(text())
def test_any_text_is_an_opening_or_refused(text: str) -> None:
    with suppress(UserError):
        for opening in openings.operator_openings({"PAAS_OPEN_RANGES": text}):
            assert ip_network(str(opening.network)) == opening.network


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes networks")
def test_dropping_chains_of_others_let_the_zones_pass_also_when_they_are_made_anew() -> None:
    others = (("ip", "drop"), ("ip6", "drop"), ("inet", "accept"))

    def make() -> None:
        for family, policy in others:
            foreign.load(
                f"table {family} other\ndelete table {family} other\n"
                f"table {family} other {{ chain f {{ type filter hook forward priority 0; "
                f"policy {policy}; counter; }}; }}\n"
            )

    def rules() -> list[int]:
        listed = (["nft", "list", "chain", family, "other", "f"] for family, _ in others)
        return [subprocess.check_output(argv, text=True).count("paas_t") for argv in listed]

    def story() -> None:
        for _ in range(2):
            make()
            for _ in range(2):
                foreign.pass_through("pb-t", "paas_t")
                assert rules() == [2, 2, 0]
        foreign.take_back("paas_t")
        assert rules() == [0, 0, 0]

    with namespace() as host:
        host.run(story)


def test_slots_give_addresses_and_are_used_again() -> None:
    network = IPv4Network("10.99.0.0/29")
    assert addresses.free_slot([1, 3], network) == 2
    assert str(addresses.address(network, 1)) == "10.99.0.2"
    with pytest.raises(Exception, match="full"):
        addresses.free_slot([1, 2, 3, 4, 5], network)
