"""The listener and the FIFO that a zone is handed: it can hurt nobody with them but itself."""

import json
import os
import statistics
import time
from pathlib import Path

import pytest

from ..conftest import get
from .conftest import Walls, source, wait

pytestmark = pytest.mark.root

WATCHED_S = 2.0
NODE_CPU_MAX = 0.25
LIST_TIME_MAX_S = 0.25


def command(how: str) -> list[str]:
    return ["python3", "-c", source("descriptors"), how]


def test_what_the_descriptors_are_can_not_be_changed(walls: Walls) -> None:
    with walls.machine(command("touch")) as uuid:
        wait(walls.node.until(uuid, lambda vm: vm["listening"] is not None))
        found = json.loads(walls.run(uuid, "cat", "/app/found")[1])
        assert found.pop("descriptors") == [0, 1, 2, 3, 4]
        assert "done" not in found.values(), found
        path, reports = walls.node.socket(uuid), walls.node.socket(uuid).with_name("reports")
        assert path.stat().st_uid == reports.stat().st_uid == 0
        assert path.stat().st_mode & 0o777 == 0o660
        assert reports.stat().st_mode & 0o777 == 0o600
        assert get(path) == "hello"


def test_an_exec_has_no_descriptor_but_its_own(walls: Walls) -> None:
    listing = "import json, os; print(json.dumps(sorted(map(int, os.listdir('/proc/self/fd')))))"
    for zone in (walls.app, walls.neighbour):
        assert walls.python(zone["uuid"], listing) == [0, 1, 2, 3]  # 3 is the listing's.


def test_a_listener_that_was_shut_down_is_replaced(walls: Walls) -> None:
    with walls.machine(command("shutdown")) as uuid:
        vm = wait(
            walls.node.until(uuid, lambda vm: vm["init_restarts"] > 0 and vm["listening"] == "unix")
        )
        assert vm["exit_status"] == 137
        assert get(walls.node.socket(uuid)) == "hello"
        assert vm["exit_reason"] == "it shut down the socket it was given"
        assert "shut down the socket" in walls.node.log(uuid)


def test_a_flood_of_reports_costs_the_node_nothing_and_harms_no_neighbour(walls: Walls) -> None:
    assert walls.node.process is not None
    with walls.machine(command("flood"), cpu_cap=100) as uuid:
        wait(walls.node.until(uuid, lambda vm: vm["listening"] == "unix"))
        before_s, start_s = cpu_s(walls.node.process.pid), time.monotonic()
        times_s: list[float] = []
        while time.monotonic() - start_s < WATCHED_S:
            asked_s = time.monotonic()
            assert wait(walls.node.client.list())
            times_s.append(time.monotonic() - asked_s)
            time.sleep(0.05)
        used = (cpu_s(walls.node.process.pid) - before_s) / (time.monotonic() - start_s)
        assert get(walls.node.socket(walls.neighbour["uuid"])) == "hello"
    assert used < NODE_CPU_MAX
    assert statistics.median(times_s) < LIST_TIME_MAX_S


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
