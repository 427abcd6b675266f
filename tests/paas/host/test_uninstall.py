"""Removing an installation of which half is left and nothing runs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.cli import main
from paas.host import processes, units
from paas.host import uninstall as removal
from paas.host.uninstall import uninstall
from paas.node.zone import classes
from paas.settings import Settings

root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]
pytestmark = root
NAME = f"test-uninstall-{os.getpid()}"
"""Of this run alone: another one on this host must not remove what is tested here."""


def run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=30, capture_output=True)


@pytest.fixture
def settings() -> Iterator[Settings]:
    settings = Settings(installation=NAME)
    yield settings
    list(uninstall(settings))


def make_leftovers(settings: Settings) -> None:
    """A pool on a loop device, a bridge, a veth, a table, a cgroup: what a crash leaves."""
    (settings.pool_mount).mkdir(parents=True, exist_ok=True)
    (settings.run / "machines").mkdir(parents=True)
    with settings.pool_file.open("wb") as file:
        file.truncate(256 * 1024 * 1024)
    run("mkfs.btrfs", "--quiet", str(settings.pool_file))
    run("mount", "-o", "loop", str(settings.pool_file), str(settings.pool_mount))
    run("mount", "-t", "tmpfs", "none", str(settings.run / "machines"))
    run("ip", "link", "add", settings.bridge, "type", "bridge")
    run("ip", "link", "add", f"{settings.veth_prefix}1", "type", "veth",
        "peer", "name", f"{settings.veth_prefix}2")  # fmt: skip
    run("nft", "add", "table", "inet", settings.nftables_table)


@pytest.fixture
def machine(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the installation's cgroup, as a zone's would be."""
    mount = Path("/sys/fs/cgroup")
    base = mount if (mount / "cgroup.controllers").exists() else mount / "pids"
    folder = base / NAME / "machines" / "m" / "zone"
    folder.mkdir(parents=True)
    process = subprocess.Popen(["sleep", "300"])
    (folder / "cgroup.procs").write_text(str(process.pid))
    yield process
    process.kill()
    process.wait(60)


def test_everything_goes_and_is_listed_and_a_second_run_finds_nothing(
    settings: Settings, machine: subprocess.Popen[bytes]
) -> None:
    make_leftovers(settings)
    steps = list(uninstall(settings))
    assert [step for step in steps if not step.done] == []
    text = "\n".join(step.text for step in steps)
    assert machine.wait(60) == -9
    for what in (
        "machines (1 processes)",
        f"mount {settings.pool_mount}",
        f"mount {settings.run / 'machines'}",
        f"network interface {settings.bridge}",
        f"firewall table inet {settings.nftables_table}",
        f"folder {settings.state}",
        f"folder {settings.run}",
    ):
        assert what in text
    assert not settings.state.exists() and not settings.run.exists()
    assert processes.cgroup_folders(settings) == []
    assert str(settings.pool_file) not in subprocess.run(
        ["losetup", "--list"], capture_output=True, text=True, timeout=10
    ).stdout  # fmt: skip
    assert list(uninstall(settings)) == []


@pytest.fixture
def volume(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The state on a disk of its own, as an operator mounts it."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    run("mkfs.ext4", "-q", str(disk))
    settings.state.mkdir()
    run("mount", "-o", "loop", str(disk), str(settings.state))
    yield settings.state
    subprocess.run(["umount", "--recursive", str(settings.state)], timeout=30)
    settings.state.rmdir()


def test_on_a_volume_of_its_own_all_that_is_ours_goes_and_the_volume_stays(
    settings: Settings, volume: Path
) -> None:
    (volume / "precious").write_text("")
    (volume / "logs" / "router").mkdir(parents=True)
    run("mount", "-t", "tmpfs", "none", str(volume / "logs"))
    (volume / "logs" / "platform.log").write_text("")
    make_leftovers(settings)
    steps = list(uninstall(settings))
    assert volume.is_mount() and (volume / "logs").is_mount()
    assert {path.name for path in volume.iterdir()} == {"lost+found", "precious", "logs"}
    assert list((volume / "logs").iterdir()) == []
    assert [step.text for step in steps if not step.done] == [
        f"{volume}: it has other things too: precious"
    ]
    assert f"pool.img, zones in {volume}" in "\n".join(step.text for step in steps)
    assert list(uninstall(settings)) == []


def test_behind_a_link_what_is_ours_goes_and_the_link_stays(
    settings: Settings, tmp_path: Path
) -> None:
    settings.state.symlink_to(tmp_path)
    try:
        (tmp_path / "precious").write_text("")
        make_leftovers(settings)
        list(uninstall(settings))
        assert [path.name for path in tmp_path.iterdir()] == ["precious"]
        assert settings.state.is_symlink() and list(uninstall(settings)) == []
    finally:
        settings.state.unlink()


def test_a_process_of_the_platform_without_its_supervisor_is_killed(settings: Settings) -> None:
    environment = {**os.environ, "PAAS_INSTALLATION": NAME}
    code = "import time; time.sleep(300)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-m", "paas.node.server"], env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while process.pid not in processes.platform_processes(settings):
            assert time.monotonic() < deadline
        assert [step.text for step in uninstall(settings)] == [f"processes {process.pid}"]
        assert process.wait(60) == -9
    finally:
        process.kill()


def test_a_unit_that_systemd_does_not_stop_is_named_and_found_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its file systemd would go on starting the platform, and nobody could say who does."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(removal, "systemd_runs", lambda: True)
    monkeypatch.setattr(removal, "UNITS", tmp_path)
    unit = tmp_path / units.unit_name(settings)
    unit.write_text(units.service(settings, Path("/bin/paas")))

    program.write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    program.chmod(0o755)
    (step,) = uninstall(settings)
    assert not step.done and str(unit) in step.text and "Failed to connect to bus" in step.text
    assert unit.exists()

    program.write_text("#!/bin/sh\n")
    (step,) = uninstall(settings)
    assert step.done and not unit.exists()


def test_a_folder_that_is_not_the_platforms_stays(settings: Settings) -> None:
    settings.state.mkdir()
    (settings.state / "precious").write_text("")
    try:
        steps = list(uninstall(settings))
        assert [step.done for step in steps] == [False]
        assert (settings.state / "precious").exists()
    finally:
        shutil.rmtree(settings.state)


def test_uninstall_asks_for_the_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAAS_INSTALLATION", NAME)
    assert main(["uninstall", "--confirm", "smartplatform"]) == 2
    assert f"add --confirm {NAME}" in capsys.readouterr().err
    assert main(["uninstall", "--confirm", NAME]) == 0
    assert capsys.readouterr().err == "There was nothing to remove.\n"


def test_the_cgroups_of_every_class_are_known_for_the_platforms_own() -> None:
    assert {*classes.CPU_SHARES} == processes.CLASSES
