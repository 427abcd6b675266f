"""Weights and limits in cgroups: on trees that look like both versions', and on the host's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paas.node.zone import cgroups, classes

LIMITS = cgroups.Limits(
    memory_mib=256, swap_mib=512, cpu_shares=128, cpu_cap=150, lwps=100, io_weight=300
)
KINDS = ("platform", "machines", "runs", "builds")
V1_FILES = {
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "cpu": ("cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"),
    "cpuacct": (),
    "pids": ("pids.max",),
    "blkio": ("blkio.bfq.weight",),
}
V2_FILES = ("memory.max", "memory.swap.max", "memory.oom.group", "cpu.weight", "cpu.max",
            "pids.max", "io.weight")  # fmt: skip


def make_tree(mount: Path, version: str) -> None:
    """A folder that looks like a cgroup mount, with the files that the kernel would make."""
    mount.mkdir()
    if version == "v2":
        (mount / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids")
    roots = {"": V2_FILES} if version == "v2" else V1_FILES
    for controller, names in roots.items():
        for folder in ("inst", *(f"inst/{kind}" for kind in KINDS), "inst/builds/u"):
            (mount / controller / folder).mkdir(parents=True)
            for name in names:
                (mount / controller / folder / name).write_text("")


@pytest.fixture(params=["v1", "v2"])
def mount(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make_tree(tmp_path / "cgroup", request.param)
    return tmp_path / "cgroup"


def number(mount: Path, group: str, *names: str) -> int:
    """What stands in the one file of these names that there is."""
    (file,) = [file for name in names for file in mount.rglob(f"{group}/{name}")]
    return int(file.read_text())


def cpu(mount: Path, group: str) -> int:
    return number(mount, group, "cpu.weight", "cpu.shares")


def io(mount: Path, group: str) -> int:
    return number(mount, group, "io.weight", "blkio.bfq.weight")


def test_limits_are_written_and_conmon_is_charged_to_its_machine(mount: Path) -> None:
    path = cgroups.name("inst", "builds", "u")
    cgroups.make(path, LIMITS, mount)
    cgroups.enter(path, 4711, mount)
    written = {
        file.name: file.read_text() for file in mount.rglob("inst/builds/u/*") if file.is_file()
    }
    entered = list(mount.rglob("u/conmon/cgroup.procs"))
    assert entered
    assert all(file.read_text() == "4711" for file in entered)
    assert written["pids.max"] == "100"
    memory = written.get("memory.max") or written["memory.limit_in_bytes"]
    assert memory == str(256 * 1024 * 1024)
    assert (written.get("cpu.max") or written["cpu.cfs_quota_us"]).startswith("150000")
    assert (written.get("cpu.weight"), written.get("cpu.shares")) in (("32", None), (None, "128"))


def test_platform_weighs_more_than_machines_these_than_runs_and_these_than_builds(
    mount: Path,
) -> None:
    assert classes.enter_platform("inst", mount) == ""
    assert classes.prepare("inst", mount) == []
    for weight in (cpu, io):
        platform, machines, runs, builds = (weight(mount, f"inst/{kind}") for kind in KINDS)
        assert platform > machines > 2 * runs and runs >= 4 * builds > 0
    assert cpu(mount, "inst") > 0
    entered = {file.parent.name for file in mount.rglob("cgroup.procs")}
    assert entered == {"platform"}


def test_shares_of_machines_keep_their_proportions(mount: Path) -> None:
    found = []
    for shares in (128, 1024, 8192):
        limits = cgroups.Limits(1, 1, shares, 0, 1)
        cgroups.apply("/inst/builds/u", limits, mount)
        found.append(cpu(mount, "inst/builds/u"))
    assert found[1] == 8 * found[0] and found[2] == 8 * found[1]


def test_io_weights_change_live_and_keep_to_the_kernels_ranges(mount: Path) -> None:
    for wanted in (300, 1, 16384):
        limits = cgroups.Limits(256, 512, 128, 0, 100, io_weight=wanted)
        cgroups.apply("/inst/builds/u", limits, mount)
        most = 10_000 if classes.is_v2(mount) else 1000
        assert io(mount, "inst/builds/u") == min(wanted, most)
    assert classes.io_files(1, v2=False) == {"blkio.bfq.weight": "1", "blkio.weight": "10"}


def test_a_host_without_io_weights_says_so_and_has_all_the_rest(mount: Path) -> None:
    for file in [*mount.rglob("io.weight"), *mount.rglob("blkio.bfq.weight")]:
        file.unlink()
    (said,) = classes.prepare("inst", mount)
    assert "no io weight" in said
    cgroups.make("/inst/builds/u", LIMITS, mount)
    assert cpu(mount, "inst/builds/u") in (32, 128)


def test_where_cgroups_cannot_be_written_the_reason_is_said(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "inst").write_text("not a folder")
    assert "no cgroup of their own" in classes.enter_platform("inst", tmp_path)
    assert any("can't be written" in line for line in classes.prepare("inst", tmp_path))


def test_v2_hands_on_only_controllers_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu pids")
    classes.enable(tmp_path, "inst/machines/u", tmp_path)
    controls = {file.parent: file for file in tmp_path.rglob("cgroup.subtree_control")}
    assert set(controls) == {tmp_path, tmp_path / "inst", tmp_path / "inst/machines"}
    assert {file.read_text() for file in controls.values()} <= {"+cpu", "+pids"}


@pytest.mark.root
def test_a_process_enters_the_platforms_class_and_nothing_of_it_stays_behind() -> None:
    name = f"test-classes-{os.getpid()}"
    source = (
        "import sys; from pathlib import Path; from paas.node.zone import classes\n"
        f"print(repr(classes.enter_platform({name!r})), Path('/proc/self/cgroup').read_text())"
    )
    argv = [sys.executable, "-c", source]
    try:
        said = subprocess.check_output(argv, text=True, timeout=60)
        assert said.startswith("''")
        assert f"/{name}/platform\n" in said
        folder = classes.MOUNT if classes.is_v2() else classes.MOUNT / "cpu"
        assert cpu(folder, f"{name}/platform") == (2400 if classes.is_v2() else 24576)
    finally:
        classes.remove(name)
    assert not list(classes.MOUNT.glob(f"*/{name}")) + list(classes.MOUNT.glob(name))
