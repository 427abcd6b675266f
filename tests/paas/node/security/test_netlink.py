"""Netlink is open to zones, and only to read: their own interfaces, and nothing can be changed."""

import json
import subprocess
from typing import Any

import pytest

from tests.paas.node.security.conftest import Walls, source

pytestmark = pytest.mark.root

REFUSED = {"EPERM", "EPROTONOSUPPORT", "ECONNREFUSED"}
"""The latter two where the kernel, or this network namespace, has no such protocol."""


@pytest.fixture(scope="module")
def found(walls: Walls) -> dict[str, Any]:
    program = source("netlink")
    capable = {"user": "root", "working_directory": "/"}
    return {
        "app": walls.python(walls.app["uuid"], program),
        "root": walls.python(walls.app["uuid"], program, user="root"),
        "capable": walls.python(walls.capable["uuid"], program, **capable),
    }


@pytest.mark.parametrize("who", ["app", "root", "capable"])
def test_nothing_can_be_changed(found: dict[str, Any], who: str) -> None:
    changes = found[who]["changes"]
    assert {name: end for name, end in changes.items() if end not in REFUSED} == {}
    assert changes["add an address"] == changes["take an interface down"] == "EPERM"


@pytest.mark.parametrize("who", ["app", "root", "capable"])
def test_only_its_own_interfaces_are_seen(found: dict[str, Any], who: str) -> None:
    assert set(found[who]["interfaces"]) - {"sit0", "tunl0", "ip6tnl0"} == {"eth0", "lo"}


@pytest.mark.parametrize("who", ["app", "root", "capable"])
def test_what_is_told_to_administrators_is_not_heard(found: dict[str, Any], who: str) -> None:
    assert set(found[who]["groups"].values()) <= REFUSED


def test_the_same_messages_change_a_namespace_that_is_ones_own() -> None:
    """Otherwise the refusals above would say nothing."""
    argv = ["unshare", "--net", "python3", "-c", source("netlink"), "own"]
    own = json.loads(subprocess.check_output(argv, timeout=30))
    done = {name for name, end in own["changes"].items() if end == "done"}
    assert {"add an address", "take an interface down", "add a rule"} <= done
    assert "EPERM" not in own["changes"].values()
