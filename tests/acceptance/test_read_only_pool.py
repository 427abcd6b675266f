"""A pool that gave up writing, on a small disk of its own, as an operator has it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import make_installation
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import Installation, run, until
from tests.acceptance.visitors import Visitors
from tests.paas.node.pools.test_pools import loop_devices
from tests.paas.node.pools.test_trouble import limit_device
from tests.paas.node.upkeep.test_disk_full import fill

MIB = 1 << 20
DISK_BYTES = 9 << 30
LITTLE_BYTES = 4096


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose state is on a disk of its own."""
    found = make_installation(tmp_path, PAAS_BOOT_TIMEOUT_S="30")
    state, image = found.settings.state, tmp_path / "disk.img"
    image.touch()
    os.truncate(image, DISK_BYTES)
    state.mkdir(parents=True)
    for command in (
        ["mkfs.ext4", "-q", "-F", "-m", "0", str(image)],
        ["mount", "-o", "loop", str(image), str(state)],
    ):
        done = run(command, os.environ)
        assert done.status == 0, done.text
    try:
        found.up()
        yield found
    finally:
        removed = found.uninstall()
        subprocess.run(["umount", "--lazy", str(state)], timeout=60)
        state.rmdir()
    assert removed.status == 0, removed.text
    assert not found.leftovers()


@pytest.fixture
def app(small: Installation, tmp_path: Path) -> Developer:
    developer = Developer(small, "kept", tmp_path / "kept")
    developer.folder.mkdir()
    developer.git("init", "--quiet", "--initial-branch=main")
    small.paas("create", "kept", folder=developer.folder)
    developer.copy(PROBE)
    developer.release("one")
    return developer


def is_read_only(installation: Installation) -> bool:
    return bool(os.statvfs(installation.settings.pool_mount).f_flag & os.ST_RDONLY)


def break_pool(app: Developer) -> str:
    """Its disk takes nothing more, until btrfs gives up; the loop device below it."""
    os.sync()
    (device,) = loop_devices(app.installation.settings.pool_file)
    limit_device(device, LITTLE_BYTES)

    def gave_up() -> bool:
        # Whatever is answered: what the app writes is lost, and that may be its end.
        app.post("/run", "head -c 30000000 /dev/urandom > /app/more; mkdir -p /app/$$")
        os.sync()
        return is_read_only(app.installation)

    until(gave_up, 120, app.installation.log)
    return device


def doctor(installation: Installation) -> str:
    return installation.paas("doctor", check=False, timeout_s=90).out


def test_down_and_up_mend_it(app: Developer, small: Installation) -> None:
    device = break_pool(app)
    assert "read-only" in doctor(small)
    assert app.get().text == "one", "what runs is read still"
    limit_device(device, 0)
    machine = small.machine(app.app)
    down = small.paas("down", timeout_s=90)
    assert "Stopped" in down.text
    assert not Path(f"/proc/{machine['pid']}").exists()
    small.up()
    until(lambda: app.get(timeout_s=40).text == "one", 60, small.log)
    assert not is_read_only(small)
    assert "0 problems" in doctor(small)
    app.release("two")
    assert app.get().text == "two"


def test_a_node_that_starts_mends_it_while_visitors_wait(
    app: Developer, small: Installation
) -> None:
    device = break_pool(app)
    limit_device(device, 0)
    routers = small.pids("router.worker")
    with Visitors(small.settings.router_port, f"{app.app}.localhost") as visitors:
        small.kill("paas.node.server")
        until(lambda: not is_read_only(small), 90, small.log)
        until(lambda: app.get(timeout_s=40).text == "one", 60, small.log)
    assert set(visitors.statuses) == {200}, visitors.told
    assert small.pids("router.worker") == routers
    app.release("two")
    assert app.get().text == "two"


def test_while_the_disk_is_full_up_says_so_in_a_sentence_and_mends_it_once_there_is_room(
    app: Developer, small: Installation
) -> None:
    filler = fill(small.settings.state)
    break_pool(app)
    assert "Stopped" in small.paas("down", timeout_s=90).text
    refused = small.paas("up", "-d", check=False, timeout_s=170)
    assert refused.status != 0
    assert f"the disk of {small.settings.state} is full" in refused.text
    assert "Traceback" not in refused.text and "Errno" not in refused.text
    filler.unlink()
    small.up()
    until(lambda: app.get(timeout_s=40).text == "one", 60, small.log)
    assert not is_read_only(small)
    app.release("two")
    assert app.get().text == "two"
    assert "0 problems" in doctor(small)
