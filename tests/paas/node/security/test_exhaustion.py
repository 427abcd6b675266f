"""A zone that takes all it can get: its own limits end it, and its neighbours do not notice."""

import grp
import os
import time
from pathlib import Path
from typing import Any

import pytest

from paas.node.zone import cgroups
from paas.settings import CONTROL_USER
from tests.paas.node.conftest import get
from tests.paas.node.security.conftest import IDLE, Walls, shrink, source, wait

pytestmark = pytest.mark.root

LOG_BYTES_MAX = 64 * 1024 * 1024
SMALL_QUOTA_BYTES = 8 * 1024 * 1024
PATIENCE_S = 30
GIB = 1024**3
UNTIL = "import os, time\nwhile not os.path.exists('/app/{}'): time.sleep(0.02)\nprint(0)"


@pytest.fixture(autouse=True)
def neighbours_live(walls: Walls) -> Any:
    """After each test: the neighbour answers as the same process, and the node at once."""
    pid = walls.vm(walls.neighbour["uuid"])["pid"]
    yield
    assert get(walls.node.socket(walls.neighbour["uuid"])) == "hello"
    after = walls.vm(walls.neighbour["uuid"])
    assert (after["pid"], after["init_restarts"]) == (pid, 0)


def test_what_the_host_has_one_supply_of_is_left_to_others(walls: Walls) -> None:
    greedy = source("greedy")
    one_of_each = {
        kind: [1, "done"] for kind in ("inotify", "queue", "terminal", "timer", "locked")
    }
    with walls.machine(["python3", "-c", greedy, "all"], metadata=IDLE) as uuid:
        walls.python(uuid, UNTIL.format("held"))
        held = walls.python(uuid, "print(open('/app/held').read())")
        assert walls.python(walls.app["uuid"], greedy, "some") == one_of_each
        assert walls.python(walls.neighbour["uuid"], greedy, "some") == one_of_each
    assert held["terminal"][0] <= 256
    assert held["queue"][0] <= 2
    assert held["timer"][0] <= 1024
    assert held["locked"][0] <= 16
    assert held["inotify"][0] > 128
    # Taking all process numbers or open files of this host would hurt others here.
    assert int(Path("/proc/sys/kernel/pid_max").read_text()) >= 1 << 22
    assert int(Path("/proc/sys/fs/file-max").read_text()) >= 1 << 40
    assert int(Path("/proc/sys/net/ipv4/tcp_max_orphans").read_text()) >= 1 << 20


def test_a_fork_bomb_ends_at_its_limit_and_can_be_deleted(walls: Walls) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    with walls.machine(["python3", "-c", bomb], metadata=IDLE, max_lwps=50, cpu_cap=50) as uuid:
        path = cgroups.name(walls.node.settings.installation, "machines", uuid)
        counts = [0]
        deadline_s = time.monotonic() + PATIENCE_S
        while len(counts) < 5 or (max(counts) <= 10 and time.monotonic() < deadline_s):
            counts.append(len(cgroups.processes(path)))
            assert walls.run(walls.app["uuid"], "true")[0] == 0
        assert 10 < max(counts) <= 50
        wait(walls.node.client.stop(uuid, force=True))
        assert cgroups.processes(path) == []


@pytest.mark.parametrize(
    "command",
    [
        ["node", "-e", "const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))"],
        ["sh", "-c", "head -c 2G /dev/zero > /tmp/full & head -c 2G /dev/zero > /dev/shm/full; wait"
                     "; exec tail -c 1G /dev/zero"],
    ],
    ids=["heap", "memory file systems"],
)  # fmt: skip
def test_a_memory_hog_is_killed_and_the_reason_is_recorded(
    walls: Walls, command: list[str]
) -> None:
    with walls.machine(command, metadata=IDLE, max_physical_memory=128, max_swap=256) as uuid:
        vm = wait(walls.node.until(uuid, lambda vm: vm["state"] == "stopped", 30))
        assert vm["exit_status"] == 137
        assert vm["failure"] == "The machine ran out of memory."
        assert "Error R15 (Memory quota vastly exceeded)" in walls.node.log(uuid)


def test_a_child_killed_for_memory_is_not_the_reason_of_a_later_end(walls: Walls) -> None:
    hog = (
        "node -e 'const a = []; for (;;) a.push(Buffer.alloc(1e7, 1))'; touch /app/survived; "
        "until [ -e /app/go ]; do sleep 0.05; done; exit 3"
    )
    with walls.machine(["sh", "-c", hog], metadata=IDLE, max_physical_memory=128) as uuid:
        # Not before: what is asked while memory is short may be what the kernel kills.
        wait(walls.node.until(uuid, lambda vm: vm.get("oom_kills") == 1, 30))
        walls.python(uuid, UNTIL.format("survived"))
        long_ago_s = time.time() - 60
        os.utime(walls.node.settings.machines_run / uuid / "bundle/oom", (long_ago_s, long_ago_s))
        walls.run(uuid, "touch", "/app/go")
        vm = wait(walls.node.until(uuid, lambda vm: vm["state"] == "stopped", 30))
        assert (vm["exit_status"], vm.get("failure")) == (3, None)


@pytest.mark.parametrize("kind", ["semaphores", "messages", "shared", "pipes", "watches", "files"])
def test_what_the_kernel_holds_for_a_zone_is_of_its_package(walls: Walls, kind: str) -> None:
    command = ["python3", "-c", source("kernel_memory"), kind]
    with walls.machine(command, metadata=IDLE, max_physical_memory=64, max_swap=256) as uuid:

        def over(vm: dict[str, Any]) -> bool:
            assert f"{kind} end at" not in walls.node.log(uuid)
            return bool(vm["state"] == "stopped")

        vm = wait(walls.node.until(uuid, over))
        assert vm["exit_reason"] == "out of memory"


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_what_waits_in_sockets_is_a_part_of_the_package(walls: Walls, kind: str) -> None:
    """The kernel has one sum of it for the whole host; with cgroup v1 no other limit counts it."""
    with walls.machine(["sleep", "1000"], metadata=IDLE, max_physical_memory=64) as uuid:
        code, text = walls.run(uuid, "python3", "-c", source("sockets"), kind)
        if code != 137:  # With v2 it may be killed for memory on its way.
            assert 0 < int(text) < 40 * 1024 * 1024, text[-2000:]


def test_a_disk_hog_ends_at_its_quota_and_the_pool_stays_usable(walls: Walls) -> None:
    with walls.machine(["sleep", "1000"], metadata=IDLE) as uuid:
        code, text = walls.run(uuid, "fallocate", "-l", "3G", "/app/full")
        assert code != 0 and "quota" in text.lower(), text
        code, text = walls.run(uuid, "sh", "-c", "head -c 100M /dev/zero > /app/some")
        assert code == 0, text
        assert walls.run(uuid, "fallocate", "-l", "950M", "/app/more")[0] != 0
        assert walls.run(walls.app["uuid"], "sh", "-c", "echo fine > /app/x; sync -f /app/x") == (
            0,
            "",
        )


def test_small_files_count_against_the_quota(walls: Walls) -> None:
    with walls.machine(["sleep", "1000"], metadata=IDLE) as uuid:
        shrink(walls, uuid, SMALL_QUOTA_BYTES)
        made = walls.python(
            uuid,
            "import json, os\n"
            "made = 0\n"
            "try:\n"
            "    while made < 200000:\n"
            "        os.close(os.open(f'/app/{made:0>200}', os.O_CREAT)); made += 1\n"
            "except OSError as error: print(json.dumps([made, error.strerror]))",
        )
        assert 100 < made[0] < 100_000
        assert made[1] in ("Disk quota exceeded", "No space left on device")


def test_the_file_system_takes_no_requests_that_cost_the_host_its_device_numbers(
    walls: Walls,
) -> None:
    """Each subvolume has one of a million; files are copied by who would clone them."""
    capable = {"user": "root", "working_directory": "/"}
    for machine, words, more in (
        (walls.app["uuid"], ["/app"], {}),
        (walls.capable["uuid"], ["/"], capable),
    ):
        found = walls.python(machine, source("ioctls"), *words, **more)
        assert {found.pop(name) for name in list(found) if name.startswith("of btrfs")} == {
            "ENOTSUP"
        }
        assert found == {
            "terminal": "done",
            "waiting": "done",
            "flags": "done",
            "of no type": "ENOTTY",
        }
    copied = (
        "head -c 1M /dev/zero > /app/one; cp --reflink=auto /app/one /app/two; "
        "node -e \"fs.copyFileSync('/app/one', '/app/three', fs.constants.COPYFILE_FICLONE)\"; "
        "cmp /app/one /app/two && cmp /app/one /app/three; cp --reflink=always /app/one /app/four"
    )
    code, text = walls.run(walls.app["uuid"], "sh", "-c", copied)
    assert (code, text.count("\n")) == (1, 1), text
    assert "Operation not supported" in text


def test_a_flooded_log_is_bounded_and_the_zones_own_cost(walls: Walls) -> None:
    flood = (
        "head -c 150M /dev/zero | tr '\\0' 'x' | fold -w 1000; touch /app/flooded; exec sleep 99"
    )
    with walls.machine(["sh", "-c", flood], metadata=IDLE, cpu_cap=100) as uuid:
        log = walls.node.settings.logs / "machines" / f"{uuid}.log"
        conmon = int((walls.node.settings.machines_run / uuid / "conmon.pid").read_text())
        groups = Path(f"/proc/{conmon}/cgroup").read_text().splitlines()
        for controller in ("memory", "cpu", "pids"):
            line = next(line for line in groups if controller in line.split(":")[1].split(","))
            assert line.endswith(f"/machines/{uuid}/conmon")
        walls.python(uuid, UNTIL.format("flooded"))
        assert log.stat().st_size <= LOG_BYTES_MAX * 1.01
        assert log.stat().st_mode & 0o777 == 0o640
        try:
            assert log.stat().st_gid == grp.getgrnam(CONTROL_USER).gr_gid
        except KeyError:
            assert log.stat().st_gid == os.getegid()
