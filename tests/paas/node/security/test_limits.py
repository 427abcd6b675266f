"""The package's limits in the kernel's files, and changed while the machine runs."""

from pathlib import Path
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.zone import cgroups, classes
from tests.paas.node.security.conftest import IDLE, Walls, create, wait

pytestmark = pytest.mark.root

MIB = 1024 * 1024
FIRST = {"max_physical_memory": 200, "max_swap": 300, "cpu_shares": 25, "cpu_cap": 50,
         "max_lwps": 77}  # fmt: skip
CHANGES: list[dict[str, Any]] = [
    {"max_physical_memory": 400, "max_swap": 500, "cpu_shares": 200, "cpu_cap": 150},
    {"max_physical_memory": 100, "max_swap": 256, "max_lwps": 30, "cpu_cap": 0},
]


def written(walls: Walls, uuid: str) -> dict[str, str]:
    """Every limit that stands in the machine's cgroup."""
    path = cgroups.name(walls.node.settings.installation, "machines", uuid).strip("/")
    roots = cgroups.hierarchies()
    files = cgroups.limit_files(cgroups.Limits(1, 1, 1, 1, 1), v2="" in roots)
    return {
        name: (roots[controller] / path / name).read_text().strip()
        for controller, names in files.items()
        for name in names
        if (roots[controller] / path / name).exists()
    }


def expected(package: dict[str, Any]) -> dict[str, str]:
    """What they mean, said once more by hand."""
    memory, shares = package["max_physical_memory"] * MIB, package["cpu_shares"]
    swap = max(package["max_swap"], package["max_physical_memory"], 256) * MIB
    quota = package["cpu_cap"] * 1000
    return {
        "pids.max": str(package["max_lwps"]),
        "memory.limit_in_bytes": str(memory),
        "memory.memsw.limit_in_bytes": str(swap),
        "zone/memory.kmem.tcp.limit_in_bytes": str(memory // 4),
        "memory.max": str(memory),
        "memory.swap.max": str(swap - memory),
        "cpu.shares": str(shares),
        "cpu.cfs_quota_us": str(quota or -1),
        "cpu.cfs_period_us": "100000",
        "cpu.weight": str(round(shares / 4)),
        "cpu.max": f"{quota or 'max'} 100000",
        "memory.oom.group": "0",
    }


def test_limits_stand_in_the_kernel_and_change_while_the_machine_runs(walls: Walls) -> None:
    with walls.machine(["sleep", "1000"], metadata=IDLE, **FIRST) as uuid:
        package = dict(FIRST)
        pid = walls.vm(uuid)["pid"]
        for change in [{}, *CHANGES]:
            if change:
                wait(walls.node.client.update(uuid, change))
            package |= change
            found, wanted = written(walls, uuid), expected(package)
            assert {"pids.max"} < set(found)
            assert found == {name: wanted[name] for name in found}
        assert walls.vm(uuid)["pid"] == pid


def test_changed_limits_hold_at_once(walls: Walls) -> None:
    with walls.machine(["sleep", "1000"], metadata=IDLE, max_lwps=60) as uuid:
        forks = (
            "import json, os, time\n"
            "made = []\n"
            "try:\n"
            "    while len(made) < 100:\n"
            "        made.append(os.fork())\n"
            "        if made[-1] == 0: time.sleep(100)\n"
            "except OSError: pass\n"
            "for pid in made: os.kill(pid, 9), os.waitpid(pid, 0)\n"
            "print(json.dumps(len(made)))"
        )
        assert 40 < walls.python(uuid, forks) < 60
        wait(walls.node.client.update(uuid, {"max_lwps": 20}))
        assert 5 < walls.python(uuid, forks) < 20
        wait(walls.node.client.update(uuid, {"cpu_cap": 20}))
        burn = (
            "import json, time\n"
            "end = time.monotonic() + 1.5\n"
            "while time.monotonic() < end: pass\n"
            "print(json.dumps(time.process_time()))"
        )
        assert 0.1 < walls.python(uuid, burn) < 0.6


def test_memory_that_is_in_use_is_not_taken_away_and_nothing_else_is_changed(walls: Walls) -> None:
    if "" in cgroups.hierarchies():
        pytest.skip("cgroup v2 takes the lower limit, and ends a process for it")
    with walls.machine(["sleep", "1000"], metadata=IDLE, max_physical_memory=128) as uuid:
        assert walls.run(uuid, "fallocate", "-l", "80M", "/tmp/held")[0] == 0
        before, limits = walls.vm(uuid), written(walls, uuid)
        with pytest.raises(NodeError, match=r"uses \d+ MiB") as caught:
            wait(walls.node.client.update(uuid, {"max_physical_memory": 40, "max_lwps": 30}))
        assert caught.value.code == "MemoryInUse"
        after = walls.vm(uuid)
        assert {**after, "last_modified": ""} == {**before, "last_modified": ""}
        assert written(walls, uuid) == limits
        wait(walls.node.client.update(uuid, {"max_lwps": 30}))


def test_builds_stand_below_machines(walls: Walls) -> None:
    build = {**IDLE, "smartplatform:class": "builds"}
    with walls.machine(["sleep", "1000"], metadata=build) as uuid:
        process = Path(f"/proc/{walls.vm(uuid)['pid']}")
        group, status = (process / "cgroup").read_text(), (process / "status").read_text()
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
            assert line in status
        assert f"/{walls.node.settings.installation}/builds/{uuid}/zone" in group
        roots = cgroups.hierarchies()
        folder = roots.get("cpu", roots.get("")) / walls.node.settings.installation
        name = "cpu.shares" if "cpu" in roots else "cpu.weight"
        shares = {kind: int((folder / kind / name).read_text()) for kind in ("machines", "builds")}
        assert shares["machines"] == 24 * shares["builds"]


def test_what_a_server_has_promised_it_promises_to_nobody_else(walls: Walls) -> None:
    """Also while the machine that has it is stopped; builds are not counted."""
    client = walls.node.client
    before = [vm["uuid"] for vm in wait(client.list())]
    free = wait(client.room([]))["memory_mib"]["free"]
    off = {"autoboot": False, "metadata": IDLE}
    with pytest.raises(NodeError) as caught:
        wait(create(walls.node, ["true"], max_physical_memory=free + 1, **off))
    assert caught.value.code == "InsufficientCapacity"
    assert f"{free + 1} memory_mib asked for, {free} of" in caught.value.message
    assert [vm["uuid"] for vm in wait(client.list())] == before
    with walls.machine(["true"], max_physical_memory=free, **off) as uuid:
        with pytest.raises(NodeError, match="1 memory_mib asked for, 0 of"):
            wait(client.update(uuid, {"max_physical_memory": free + 1}))
        assert walls.vm(uuid)["max_physical_memory"] == free
        build = {**IDLE, "smartplatform:class": "builds"}
        with walls.machine(["true"], autoboot=False, metadata=build):
            assert wait(client.room([]))["memory_mib"]["free"] == 0
        wait(client.update(uuid, {"max_physical_memory": 64}))
        assert wait(client.room([]))["memory_mib"]["free"] == free - 64


def test_the_node_stands_above_its_machines_and_none_of_them_is_in_its_class(walls: Walls) -> None:
    name = walls.node.settings.installation
    assert walls.node.process is not None
    above = Path(f"/proc/{walls.node.process.pid}/cgroup").read_text().splitlines()
    machine = Path(f"/proc/{walls.vm(walls.app['uuid'])['pid']}/cgroup").read_text()
    controllers = ("cpu", "cpuacct") if not classes.is_v2() else ("",)
    for controller in controllers:
        line = next(line for line in above if controller in line.split(":")[1].split(","))
        assert line.endswith(f"/{name}/platform")
    assert "/platform" not in machine
