"""The firewall's text and what is opened in it."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.node import machine
from paas.node.network import firewall, openings
from paas.node.network.firewall import Opening


def test_resolvers_and_openings_stand_before_the_closed_ranges() -> None:
    text = firewall.rules(
        "paas_t",
        "pb-t",
        "pvt",
        IPv4Network("10.99.0.0/16"),
        [IPv4Address("10.1.1.1")],
        [Opening(IPv4Network("10.2.0.0/16"), 443, "builds"), Opening(IPv4Network("10.3.0.0/16"))],
    )
    closed = text.index("ip daddr { 0.0.0.0/8, 10.0.0.0/8")
    for line in (
        "ip daddr 10.1.1.1 udp dport 53 accept",
        "ip saddr @builds ip daddr 10.2.0.0/16 tcp dport 443 accept",
        "ip daddr 10.3.0.0/16 accept",
    ):
        assert text.index(line) < closed


def test_a_registry_with_a_private_address_is_opened_for_builds_only(tmp_path: Path) -> None:
    npmrc = tmp_path / "npmrc"
    npmrc.write_text("registry=http://10.9.8.7:4873/\n@a:registry = http://127.0.0.1:1/\n")
    environment = {"HTTPS_PROXY": "http://192.168.1.1:3128"}
    found = openings.registry_openings([npmrc, tmp_path / "none"], environment)
    assert Opening(IPv4Network("10.9.8.7/32"), 4873, "builds") in found
    assert Opening(IPv4Network("192.168.1.1/32"), 3128, "builds") in found
    assert not any(opening.network.is_loopback for opening in found)


def test_the_operator_opens_ranges() -> None:
    found = openings.operator_openings({"PAAS_OPEN_RANGES": "10.1.0.0/16, 10.2.3.4:5432"})
    assert found == [
        Opening(IPv4Network("10.1.0.0/16")),
        Opening(IPv4Network("10.2.3.4/32"), 5432),
    ]
    with pytest.raises(UserError, match=r"10\.1\.0\.0/99"):
        openings.operator_openings({"PAAS_OPEN_RANGES": "10.1.0.0/99"})


def test_slots_give_addresses_and_are_used_again() -> None:
    network = IPv4Network("10.99.0.0/29")
    assert machine.free_slot([1, 3], network) == 2
    assert str(machine.address(network, 1)) == "10.99.0.2"
    with pytest.raises(Exception, match="full"):
        machine.free_slot([1, 2, 3, 4, 5], network)
