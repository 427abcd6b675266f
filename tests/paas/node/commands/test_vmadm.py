"""vmadm's words: what is typed has its effect, or is refused by name. Without root."""

import io
import json
import sys
from typing import Any

import pytest

from paas.node.commands import vmadm

UUID = "11111111-2222-4333-8444-555555555555"
MACHINES = [
    {"uuid": "a", "type": "LX", "ram": 128, "state": "running", "alias": "one", "tags": {"x": "1"}},
    {"uuid": "b", "type": "LX", "ram": 512, "state": "stopped", "alias": "two", "tags": {}},
]


class Node:
    """Answers lists, and remembers what it was told to do."""

    def __init__(self, _socket: object = None) -> None:
        self.told: list[Any] = []

    def ask(self, verb: str, **arguments: Any) -> Any:
        if verb == "list":
            return MACHINES
        self.told.append(tuple(arguments.values()))
        return {"uuid": UUID}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    one = Node()
    monkeypatch.setattr(vmadm, "Node", lambda socket: one)
    return one


@pytest.mark.parametrize("words", [["-s", "-ram,uuid"], ["-s", "-ram"], ["-s-ram,uuid"]])
def test_the_manuals_way_to_reverse_an_order_is_taken(node, capsys, words: list[str]) -> None:
    assert vmadm.main(["list", "-H", "-o", "uuid", *words]) == 0
    assert capsys.readouterr().out.split() == ["b", "a"]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "-o", "uuid,bogus"],
        ["list", "-s", "bogus"],
        ["list", "-s", "-bogus"],
        ["list", "bogus=1"],
        ["list", "-o", ""],
        ["lookup", "bogus=1"],
        ["lookup", "-j", "-o", "bogus"],
        ["list", "-o", "nics.x.ip"],
    ],
)
def test_a_field_that_no_machine_has_is_refused_by_name(node, capsys, words: list[str]) -> None:
    assert vmadm.main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("Invalid field name: ")


@pytest.mark.parametrize(
    "field", ["tags.x", "customer_metadata.a.b", "nics.0.ip", "exit_reason", "quota", "vcpus"]
)
def test_a_field_that_a_machine_may_have_is_shown_as_a_dash(node, capsys, field: str) -> None:
    assert vmadm.main(["list", "-H", "-o", field]) == 0
    assert "-" in capsys.readouterr().out.split()


@pytest.mark.parametrize("change", ["bogus=1", "brand=kvm", "image_uuid=x", "tags=x", "nics=x"])
def test_a_typed_change_without_effect_is_refused_whole(node, capsys, change: str) -> None:
    assert vmadm.main(["update", UUID, "max_lwps=99", change]) == 1
    name = change.partition("=")[0]
    assert capsys.readouterr().err == f"Can't be updated: {name}. Nothing was changed.\n"
    assert node.told == []


def test_what_a_program_sends_is_taken_as_far_as_it_can_be(node, capsys, monkeypatch) -> None:
    """SmartOS drops what it does not know; here the dropped names are said, last."""
    payload = {"uuid": UUID, "max_lwps": 99, "cpu_type": "qemu64"}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(payload)))
    assert vmadm.main(["update", UUID]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Successfully updated VM {UUID}" and lines[1].endswith(": cpu_type")
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"cpu_type": "qemu64"})))
    assert vmadm.main(["update", UUID]) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"uuid": "x", "max_lwps": 1})))
    assert vmadm.main(["update", UUID]) == 1
    assert len(node.told) == 1


def test_create_says_what_it_dropped_behind_the_line_that_programs_read(
    node, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"brand": "lx", "vga": "std"})))
    assert vmadm.main(["create"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Successfully created VM {UUID}" and lines[1].endswith(": vga")


@pytest.mark.parametrize("words", [["-s", "SIGTERM"], ["-SIGTERM"], ["-s", "-SIGTERM"]])
def test_kill_takes_a_signal_in_both_forms(node, words: list[str]) -> None:
    assert vmadm.main(["kill", *words, UUID]) == 0
    assert node.told[0][1].removeprefix("-") == "SIGTERM"
