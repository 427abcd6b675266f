"""vmadm's words: SmartOS's lines, widths and exit codes; what is typed has its effect, or is
refused by name. Without root.
"""

import io
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.commands import manual, sysinfo, vmadm
from paas.node.errors import NodeError

UUID = "11111111-2222-4333-8444-555555555555"
OTHER = "22222222-2222-4333-8444-555555555555"
MACHINES: list[dict[str, Any]] = [
    {
        **{"uuid": UUID, "type": "LX", "ram": 128, "state": "running", "alias": "one"},
        **{"tags": {"x": "1"}, "autoboot": False, "resolvers": ["9.9.9.9", "8.8.8.8"], "pid": 0},
        **{"nics": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}], "brand": "lx", "docker": True},
    },
    {
        **{"uuid": OTHER, "type": "OS", "ram": 512, "state": "stopped", "alias": "a:b", "tags": {}},
        **{"brand": "joyent"},
    },
]


class Node:
    """Answers lists, and remembers what it was told to do."""

    def __init__(self, _socket: object = None) -> None:
        self.told: list[Any] = []
        self.refuses: NodeError | None = None

    def ask(self, verb: str, **arguments: Any) -> Any:
        if verb == "list":
            return MACHINES
        if verb == "sysinfo":
            return {"Live Image": "6.1 'x'", "CPU Count": 2, "Disks": {}}
        if verb == "get":
            return next(vm for vm in MACHINES if vm["uuid"] == arguments["uuid"])
        if self.refuses:
            raise self.refuses
        self.told.append((verb, arguments))
        return {"uuid": UUID}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    one = Node()
    monkeypatch.setattr(vmadm, "Node", lambda socket: one)
    monkeypatch.setattr(sysinfo, "Node", lambda socket: one)
    return one


def typed(monkeypatch: pytest.MonkeyPatch, payload: object) -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_rows_have_smartoss_widths(node, capsys) -> None:
    assert vmadm.main(["list"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head == f"{'UUID':<36}  TYPE  {'RAM':<7}  {'STATE':<16}  ALIAS"
    assert first == f"{UUID}  LX    {'128':<7}  {'running':<16}  one"
    assert second.startswith(f"{OTHER}  OS    512")
    assert vmadm.main(["list", "-p", "-o", "alias,quota,autoboot,pid,resolvers,tags.x"]) == 0
    assert capsys.readouterr().out == "one:::0:9.9.9.9,8.8.8.8:1\na:b:::::\n"
    assert vmadm.main(["list", "-h", "-p", "-o", "quota"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "QUOTA"


@pytest.mark.parametrize("words", [["-s", "-ram,uuid"], ["-s", "-ram"], ["-s-ram,uuid"]])
def test_the_manuals_way_to_reverse_an_order_is_taken(node, capsys, words: list[str]) -> None:
    assert vmadm.main(["list", "-H", "-o", "uuid", *words]) == 0
    assert capsys.readouterr().out.split() == [OTHER, UUID]


def test_what_has_no_value_comes_last(node, capsys) -> None:
    assert vmadm.main(["list", "-H", "-o", "uuid", "-s", "tags.x"]) == 0
    assert capsys.readouterr().out.split() == [UUID, OTHER]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "-o", "uuid,bogus"], 'Invalid order field: "bogus"'),
        (["list", "-s", "-bogus"], 'Invalid sort field: "bogus"'),
        (["list", "bogus=1"], 'Invalid filter key: "bogus"'),
        (["list", "-o", ""], 'Invalid order field: ""'),
        (["list", "-o", "nics.*.ip"], 'Invalid order field: "nics.*.ip"'),
        (["lookup", "bogus=1"], 'Invalid lookup key: "bogus"'),
        (["lookup", "-j", "-o", "bogus"], 'Invalid output field: "bogus"'),
        (["lookup", "-o", "uuid"], "Cannot specify -o without -j"),
        (["lookup", "-1", "ram=1"], "Requested unique lookup but found 0 results."),
        (["lookup", "alias=~["], "alias=~[: unterminated character set at position 0"),
    ],
)
def test_a_field_that_no_machine_has_is_refused_by_name(
    node, capsys, words: list[str], said: str
) -> None:
    assert vmadm.main(words) == 1
    assert capsys.readouterr() == ("", said + "\n")


@pytest.mark.parametrize(
    "field", ["tags.x", "customer_metadata.a.b", "nics.0.mac", "exit_reason", "quota", "vcpus"]
)
def test_a_field_that_a_machine_may_have_is_shown_as_a_dash(node, capsys, field: str) -> None:
    assert vmadm.main(["list", "-H", "-o", field]) == 0
    assert "-" in capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], [UUID, OTHER]),
        (["alias=one"], [UUID]),
        (["alias=~^a"], [OTHER]),
        (["nics.*.ip=10.0.0.3"], [UUID]),
        (["nics.1.ip=10.0.0.2"], []),
        (["tags.x=1", "state=running"], [UUID]),
        (["quota=None"], []),
    ],
)
def test_machines_are_looked_up(node, capsys, filters: list[str], found: list[str]) -> None:
    assert vmadm.main(["lookup", *filters]) == 0
    assert capsys.readouterr().out.split() == found
    assert vmadm.main(["lookup", "-j", "-o", "uuid,vcpus", *filters]) == 0
    assert json.loads(capsys.readouterr().out) == [{"uuid": uuid} for uuid in found]


@pytest.mark.parametrize(
    ("words", "told", "said"),
    [
        (["start", OTHER], "start", f"Successfully started VM {OTHER}"),
        (["boot", UUID], "start", f"VM {UUID} is already 'running'"),
        (["stop", UUID], "stop", f"Successfully completed stop for VM {UUID}"),
        (["halt", OTHER], "stop", f"VM {OTHER} is already not 'running' (currently: stopped)"),
        (["reboot", UUID, "-F"], "reboot", f"Successfully completed reboot for VM {UUID}"),
        (["delete", UUID], "delete", f"Successfully deleted VM {UUID}"),
        (["kill", UUID], "kill", f'Sent signal "SIGTERM" to init process for VM {UUID}'),
        (["create-snapshot", UUID, "s"], "create_snapshot", f"Created snapshot s for VM {UUID}"),
        (["rollback-snapshot", UUID, "s"], "rollback_snapshot", f"Rolled back snapshot s for VM {UUID}"),  # noqa: E501
        (["delete-snapshot", UUID, "s"], "delete_snapshot", f"Deleted snapshot s for VM {UUID}"),
    ],
)  # fmt: skip
def test_success_is_said_in_smartoss_words(
    node, capsys, words: list[str], told: str, said: str
) -> None:
    assert vmadm.main(words) == 0
    assert capsys.readouterr() == ("", said + "\n")
    assert node.told[0][0] == told and node.told[0][1]["uuid"] in words


def test_stop_waits_as_long_as_there(node) -> None:
    for words in ([OTHER], [UUID], ["-t", "5", UUID], [UUID, "-t7.5"], ["-F", OTHER]):
        assert vmadm.main(["stop", *words]) == 0
    assert [arguments["timeout_s"] for _, arguments in node.told] == [60, 10, 5, 7.5, 60]
    assert [arguments["force"] for _, arguments in node.told] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("words", "signal"),
    [
        (["-s", "SIGKILL"], "SIGKILL"),
        (["-SIGHUP"], "SIGHUP"),
        (["-s", "-SIGTERM"], "SIGTERM"),
        (["-9"], "9"),
        (["-s", "15"], "15"),
        (["--signal=HUP"], "HUP"),
    ],
)
def test_kill_takes_a_signal_in_all_forms(node, words: list[str], signal: str) -> None:
    assert vmadm.main(["kill", *words, UUID]) == 0
    assert vmadm.main(["kill", UUID, *words]) == 0
    assert [arguments["signal"] for _, arguments in node.told] == [signal] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Usage: vmadm"),
        (["bogus"], 'Invalid command: "bogus".'),
        (["start"], "Invalid or missing UUID for start"),
        (["get", "x"], "Invalid or missing UUID for get"),
        (["start", UUID, "colour=red"], "Invalid argument to start: colour"),
        (["list", "-x"], "Invalid option for list: -x"),
        (["list", "--bogus"], "Invalid option for list: --bogus"),
        (["list", "-o"], "Option -o needs a value"),
        (["lookup", "alias"], "Bad arguments: unable to split alias"),
        (["create-snapshot", UUID], 'Wrong number of parameters to "create-snapshot"'),
        (["kill", UUID, "more"], "Too many arguments."),
        (["stop", UUID, "-t", "long"], "Invalid timeout: long"),
        (["stop", UUID, "-t", "nan"], "Invalid timeout: nan"),
        (["sysrq", UUID, "reset"], "Invalid sysrq type: reset"),
        (["validate"], "Will not validate without a valid action."),
        (["validate", "update"], "Will not validate without a valid action and brand."),
    ],
)
def test_wrong_usage_is_two_with_the_usage(node, capsys, words: list[str], said: str) -> None:
    assert vmadm.main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(said) and "Usage: vmadm <command>" in err
    assert node.told == []


def test_what_is_for_virtual_machines_is_refused_in_smartoss_words(node, capsys) -> None:
    for words, said in (
        (["info", UUID], "Unable to get VM info for VM {}: no info types supported for brand lx"),
        (["sysrq", UUID, "nmi"], "The sysrq command is only supported for VMs  with brand "),
        (["sysrq", OTHER, "nmi"], 'Unable to send request to vm from state "stopped", must be'),
        (["start", OTHER, "order=cd"], f"Unable to start VM {OTHER}: order is for kvm and bhyve"),
    ):
        assert vmadm.main(words) == 1
        assert capsys.readouterr().err.startswith(said.format(words[1]))


def test_help_lists_all_commands_and_properties(node, capsys) -> None:
    assert vmadm.main(["help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n{command.names[0]} " in f"{text} " for command in manual.COMMANDS[:-1])
    assert vmadm.main(["help", "properties"]) == 0
    assert "\nnics.*.mac " in capsys.readouterr().out
    assert set(vmadm._RUN) == {command.names[0] for command in manual.COMMANDS}


@pytest.mark.parametrize("change", ["bogus=1", "brand=kvm", "image_uuid=x", "tags=x", "nics=x"])
def test_a_typed_change_without_effect_is_refused_whole(node, capsys, change: str) -> None:
    assert vmadm.main(["update", UUID, "max_lwps=99", change]) == 1
    name = change.partition("=")[0]
    assert capsys.readouterr().err == f"Can't be updated: {name}. Nothing was changed.\n"
    assert node.told == []


def test_what_a_program_sends_is_taken_as_far_as_it_can_be(node, capsys, monkeypatch) -> None:
    """SmartOS drops what it does not know; here the dropped names are said, last."""
    typed(monkeypatch, {"uuid": UUID, "max_lwps": 99, "cpu_type": "qemu64"})
    assert vmadm.main(["update", UUID]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Successfully updated VM {UUID}" and lines[1].endswith(": cpu_type")
    typed(monkeypatch, {"brand": "lx"})
    assert vmadm.main(["update", UUID]) == 0
    assert capsys.readouterr().err.splitlines()[1].endswith(": brand")
    typed(monkeypatch, {"uuid": OTHER, "max_lwps": 1})
    assert vmadm.main(["update", UUID]) == 1
    assert len(node.told) == 2


def test_create_says_what_it_dropped_behind_the_line_that_programs_read(
    node, capsys, monkeypatch
) -> None:
    typed(monkeypatch, {"brand": "lx", "vga": "std"})
    assert vmadm.main(["create"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Successfully created VM {UUID}" and lines[1].endswith(": vga")


def test_a_script_that_is_not_run_is_said(node, capsys, monkeypatch) -> None:
    typed(monkeypatch, {"brand": "lx", "customer_metadata": {"user-script": "#!/bin/sh"}})
    assert vmadm.main(["create"]) == 0
    assert "user-script is kept and not run" in capsys.readouterr().err.splitlines()[1]


def test_validate_answers_as_there(node, capsys, monkeypatch) -> None:
    typed(monkeypatch, {"image_uuid": UUID})
    assert vmadm.main(["validate", "create"]) == 0
    assert capsys.readouterr() == ("", "VALID 'create' payload for joyent brand VMs.\n")
    typed(monkeypatch, {"ram": "x", "vcpus": 1})
    assert vmadm.main(["validate", "update", "lx"]) == 1
    said = json.loads(capsys.readouterr().err)
    assert said == {"bad_values": ["ram"], "bad_properties": ["vcpus"], "missing_properties": []}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, '{"a": NaN}'])
def test_what_is_no_payload_is_said(node, capsys, monkeypatch, text: str) -> None:
    typed(monkeypatch, text)
    status = vmadm.main(["validate", "create"])
    assert status == 1 and capsys.readouterr().err
    assert vmadm.main(["create", "-f", "/no/such/file"]) == 1
    assert capsys.readouterr().err == "File: /no/such/file does not exist.\n"


def test_refusals_are_told_as_there(node, capsys) -> None:
    node.refuses = NodeError("Indestructible", "indestructible_zoneroot is set, cannot delete")
    assert vmadm.main(["delete", UUID]) == 1
    said = f"Failed to delete VM {UUID}: indestructible_zoneroot is set, cannot delete\n"
    assert capsys.readouterr().err == said


@given(st.lists(st.sampled_from([*manual.BY_NAME, UUID, "-", "--", "-s", "-o", "-j", "a=b", "-1"])
                | st.text(max_size=6), max_size=5))  # fmt: skip
def test_any_words_are_done_or_refused(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vmadm, "Node", Node)
        patch.setattr(Node, "events", lambda _node: iter(()), raising=False)
        patch.setattr(sys, "stdin", io.StringIO("{}"))
        patch.setattr(sys, "stdout", io.StringIO())
        patch.setattr(sys, "stderr", io.StringIO())
        assert vmadm.main(words) in (0, 1, 2)


def test_sysinfo_is_json_or_a_shells(node, capsys) -> None:
    assert sysinfo.main([]) == 0
    assert json.loads(capsys.readouterr().out)["CPU Count"] == 2
    assert sysinfo.main(["-fp"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        """Live_Image='6.1 '"'"'x'"'"''""",
        "CPU_Count=2",
    ]
    assert (sysinfo.main(["-u"]), sysinfo.main(["-x"])) == (0, 2)
