"""Records of machines: a file that somebody tampered with costs its machine, and nothing else."""

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paas.node import words
from paas.node.machines import payload
from paas.node.machines.machine import Machine
from paas.node.machines.records import Records
from paas.node.machines.view import vm_object
from paas.supervisor import halt
from tests.names import own_name

EARLY, LATE = "2026-01-01T00:00:01.000Z", "2026-01-01T00:00:02.000Z"


def machine(slot: int) -> Machine:
    given = {"brand": "lx", "image_uuid": payload.ZERO_UUID, "uuid": str(uuid.uuid4())}
    properties, _ = payload.create(given)
    return Machine(uuid=properties["uuid"], slot=slot, properties=properties)


def edited(**changes: Any) -> Callable[[Path], None]:
    return lambda path: _rewrite(path, json.dumps({**json.loads(path.read_text()), **changes}))


def text(written: str) -> Callable[[Path], None]:
    return lambda path: _rewrite(path, written)


def replaced(by: Callable[[Path], None]) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        path.unlink()
        by(path)

    return act


def _rewrite(path: Path, written: str) -> None:
    path.write_text(written)


def test_a_machine_pins_its_image_its_stack_and_its_runtime() -> None:
    one = machine(1)
    metadata = {words.STACK: "stack", words.RUNTIME: "runtime"}
    pinning = replace(one, properties={**one.properties, "internal_metadata": metadata})
    assert one.images() == {payload.ZERO_UUID}
    assert pinning.images() == {payload.ZERO_UUID, "stack", "runtime"}


@pytest.mark.parametrize(
    "tamper",
    [
        text(""),
        text("[" * 100_000),
        replaced(os.mkfifo),
        replaced(Path.mkdir),
        replaced(lambda path: path.symlink_to("/etc/hostname")),
        edited(oom_kills="many"),
        edited(counted={"oom_kills": "x"}),
        edited(counted=None),
        edited(exit_status=[1]),
        edited(pid="1"),
        edited(snapshots="x"),
        edited(failure=5),
        edited(slot=True),
        edited(state="fine"),
    ],
)
def test_a_record_that_is_none_is_told_and_the_others_are_read(
    tmp_path: Path, tamper: Callable[[Path], None]
) -> None:
    records, bad, good = Records(tmp_path), machine(1), machine(2)
    for one in (bad, good):
        records.save(one)
    path = records.folder / f"{bad.uuid}.json"
    tamper(path)
    whole, broken = records.load()
    assert [asdict(one) for one in whole.values()] == [{**asdict(good), "snapshots": []}]
    assert list(broken) == [bad.uuid]
    assert str(path) in broken[bad.uuid]


def test_a_file_that_is_named_for_no_machine_is_none(tmp_path: Path) -> None:
    """Its name would be that of a dataset: `.` is the pool itself."""
    records, good = Records(tmp_path), machine(1)
    records.save(good)
    for name in ("..json", "...json", "not-a-uuid.json"):
        (records.folder / name).write_text("{}")
    whole, broken = records.load()
    assert (list(whole), broken) == ([good.uuid], {})


def test_the_platform_counts_what_runs_beside_tampered_records(tmp_path: Path) -> None:
    """As it stops, when its last word must not be a traceback."""
    records = Records(tmp_path)
    records.save(replace(machine(1), state="running"))
    # It was stopped, and its record could not be written any more.
    records.save(replace(machine(2), state="running", pid=os.getpid()))
    for number, written in enumerate(("", "[]", "[" * 100_000, "null")):
        (records.folder / f"{number}.json").write_text(written)
    os.mkfifo(records.folder / "pipe.json")
    (records.folder / "folder.json").mkdir()
    settings: Any = SimpleNamespace(pool_mount=tmp_path, installation=own_name("test-records"))
    assert halt.running_count(settings) == 1


@pytest.mark.parametrize(
    ("changes", "restarting"),
    [
        ({"start_timestamp": LATE}, False),
        ({"start_timestamp": EARLY, "exit_timestamp": LATE}, True),
        ({"start_timestamp": LATE, "exit_timestamp": EARLY}, False),
        ({"start_timestamp": LATE, "exit_timestamp": LATE}, False),
        ({"exit_timestamp": LATE}, True),
        ({"start_timestamp": EARLY, "exit_timestamp": LATE, "wanted": "stopped"}, False),
        ({"start_timestamp": EARLY, "exit_timestamp": LATE, "state": "running"}, False),
    ],
)
def test_a_start_that_was_asked_for_is_no_restart(
    changes: dict[str, Any], restarting: bool
) -> None:
    """Visitors of what boots wait; those of what ends again and again are told so."""
    booting = replace(machine(1), wanted="running", state="stopped")
    found = vm_object(replace(booting, **changes), IPv4Network("10.70.0.0/16"), None, "abcd")
    assert found.get("restarting", False) is restarting
