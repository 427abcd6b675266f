"""The contract of pools: the same cases on every driver, on real file systems."""

import contextlib
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.node.pools import (
    DatasetNotFound,
    Pool,
    PoolError,
    PoolUnavailable,
    close_pool,
    ensure,
    open_pool,
    sparse_file,
)
from paas.node.pools.btrfs import BtrfsPool
from paas.node.pools.dir import DirPool
from paas.settings import Settings

MIB = 1024**2
DRIVERS = ["btrfs", "btrfs-full-quotas", "dir"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts and subvolumes")


@contextlib.contextmanager
def opened(driver: str, folder: Path, size_mib: int = 512) -> Iterator[Pool]:
    if driver == "dir":
        yield DirPool(folder / "zones")
        return
    file, mount = folder / "pool.img", folder / "zones"
    sparse_file.open_file(file, mount, size_mib * MIB)
    try:
        yield BtrfsPool(mount, file, "full" if driver == "btrfs-full-quotas" else "simple")
    finally:
        sparse_file.close(mount, file)


@pytest.fixture(params=DRIVERS)
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pool]:
    with opened(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def quota_pool(pool: Pool) -> Pool:
    if not pool.enforces_quotas:
        pytest.skip("this driver keeps no quotas")
    return pool


def make_image(pool: Pool, name: str = "image", content: bytes = b"one") -> None:
    pool.create(name)
    (pool.path(name) / "root").mkdir()
    (pool.path(name) / "root/file").write_bytes(content)
    pool.snapshot(name, "final")


def written_until_full(path: Path, limit_bytes: int) -> tuple[int, int]:
    """Bytes that went into a file before it failed, and the error's number (0: it never did)."""
    total = 0
    with path.open("wb", buffering=0) as file:
        while total < limit_bytes:
            try:
                total += file.write(os.urandom(MIB))
            except OSError as error:
                return total, error.errno or 0
    return total, 0


pytestmark = [pytest.mark.root, as_root]


def test_a_clone_holds_what_its_source_held_at_final(pool: Pool) -> None:
    make_image(pool)
    (pool.path("image") / "root/file").write_bytes(b"later")
    pool.clone("image", "machine")
    assert (pool.path("machine") / "root/file").read_bytes() == b"one"
    assert pool.list() == ["image", "machine"]


def test_a_clone_and_its_source_change_apart(pool: Pool) -> None:
    make_image(pool)
    pool.clone("image", "machine")
    (pool.path("machine") / "root/file").write_bytes(b"two")
    pool.clone("image", "other")
    assert (pool.path("other") / "root/file").read_bytes() == b"one"


def test_a_clone_of_any_snapshot(pool: Pool) -> None:
    make_image(pool)
    (pool.path("image") / "root/file").write_bytes(b"later")
    pool.snapshot("image", "trunk")
    pool.clone_snapshot("image", "trunk", "machine")
    assert (pool.path("machine") / "root/file").read_bytes() == b"later"
    assert pool.snapshots("image") == ["final", "trunk"]
    pool.delete_snapshot("image", "trunk")
    pool.delete_snapshot("image", "trunk")
    assert pool.snapshots("image") == ["final"]


def test_every_call_can_be_repeated(pool: Pool) -> None:
    make_image(pool)
    make_image_again = pool.create
    make_image_again("image")
    pool.snapshot("image", "final")
    pool.clone("image", "machine")
    (pool.path("machine") / "root/file").write_bytes(b"kept")
    pool.clone("image", "machine")
    assert (pool.path("machine") / "root/file").read_bytes() == b"kept"
    pool.rename("machine", "other")
    pool.rename("machine", "other")
    assert pool.list() == ["image", "other"]
    pool.destroy("other")
    pool.destroy("other")
    assert pool.list() == ["image"]


def test_a_rename_takes_the_snapshots_along(pool: Pool) -> None:
    make_image(pool)
    pool.rename("image", "renamed")
    pool.clone("renamed", "machine")
    assert pool.snapshots("image") == []
    assert (pool.path("machine") / "root/file").read_bytes() == b"one"


def test_a_rename_onto_another_dataset_is_refused(pool: Pool) -> None:
    make_image(pool)
    pool.create("other")
    with pytest.raises(PoolError, match="exists already"):
        pool.rename("image", "other")


def test_what_is_missing_is_named(pool: Pool) -> None:
    with pytest.raises(DatasetNotFound, match="zones/absent@final"):
        pool.clone("absent", "machine")
    with pytest.raises(DatasetNotFound, match="zones/absent"):
        pool.rename("absent", "machine")
    with pytest.raises(DatasetNotFound, match="zones/absent"):
        pool.snapshot("absent", "final")


@pytest.mark.parametrize("name", ["../etc", "a/b", "", ".snapshots", "a\0b", "Ä"])
def test_a_name_that_leads_elsewhere_is_refused(pool: Pool, name: str) -> None:
    for call in (pool.create, pool.destroy, pool.path):
        with pytest.raises(PoolError, match="can't name a dataset"):
            call(name)
    with pytest.raises(PoolError, match="can't name a snapshot"):
        pool.snapshot("image", "..")


def test_snapshots_are_outside_every_dataset_and_the_pool_is_private(pool: Pool) -> None:
    make_image(pool)
    assert {entry.name for entry in pool.path("image").iterdir()} == {"root"}
    assert pool.root.stat().st_mode & 0o777 == 0o700


def test_deleting_49_of_50_builds_frees_their_space(tmp_path: Path) -> None:
    """A chain of trunks, each a clone of the one before, as builds make them."""
    with opened("btrfs", tmp_path, 1024) as pool:
        make_image(pool, "build-0", os.urandom(2 * MIB))
        for number in range(1, 50):
            pool.clone(f"build-{number - 1}", f"build-{number}")
            root = pool.path(f"build-{number}") / "root"
            (root / "file").write_bytes(os.urandom(2 * MIB))
            pool.snapshot(f"build-{number}", "final")
        os.sync()
        full = pool.space().free_bytes
        for number in range(49):
            pool.destroy(f"build-{number}")
        wait_for_cleaner(pool)
        assert pool.space().free_bytes - full > 49 * 2 * MIB * 0.95
        assert (pool.path("build-49") / "root/file").stat().st_size == 2 * MIB


def test_the_file_gives_space_back_to_the_disk(tmp_path: Path) -> None:
    with opened("btrfs", tmp_path) as pool:
        make_image(pool, "image", os.urandom(122 * MIB))
        os.sync()
        file = tmp_path / "pool.img"
        assert file.stat().st_blocks * 512 > 120 * MIB
        pool.destroy("image")
        wait_for_cleaner(pool)
        subprocess.run(["fstrim", str(pool.root)], check=True, timeout=60)
        assert file.stat().st_blocks * 512 < 60 * MIB


def wait_for_cleaner(pool: Pool) -> None:
    """A sync wakes btrfs's cleaner, which otherwise comes by every half a minute."""
    for command in (
        ["filesystem", "sync"],
        ["subvolume", "sync", "-s", "1"],
        ["filesystem", "sync"],
    ):
        subprocess.run(["btrfs", *command, str(pool.root)], check=True, timeout=60)


def test_a_full_quota_stops_its_tenant_only(quota_pool: Pool) -> None:
    make_image(quota_pool, "image", os.urandom(40 * MIB))
    quota_pool.clone("image", "full", 20 * MIB)
    quota_pool.clone("image", "other", 20 * MIB)
    written, error = written_until_full(quota_pool.path("full") / "root/new", 60 * MIB)
    assert error in {errno.ENOSPC, errno.EDQUOT}
    assert 12 * MIB <= written <= 20 * MIB
    assert written_until_full(quota_pool.path("other") / "root/new", 10 * MIB) == (10 * MIB, 0)


def test_a_full_tenant_can_delete_and_write_again(quota_pool: Pool) -> None:
    make_image(quota_pool)
    quota_pool.clone("image", "machine", 20 * MIB)
    written_until_full(quota_pool.path("machine") / "root/new", 60 * MIB)
    (quota_pool.path("machine") / "root/new").unlink()
    os.sync()
    assert written_until_full(quota_pool.path("machine") / "root/new", 10 * MIB) == (10 * MIB, 0)


def test_a_quota_can_be_raised_and_removed(quota_pool: Pool) -> None:
    make_image(quota_pool)
    quota_pool.clone("image", "machine", 10 * MIB)
    file = quota_pool.path("machine") / "root/new"
    assert written_until_full(file, 30 * MIB)[1]
    quota_pool.set_quota("machine", 60 * MIB)
    assert written_until_full(file, 30 * MIB) == (30 * MIB, 0)
    quota_pool.set_quota("machine", None)
    assert written_until_full(file, 80 * MIB) == (80 * MIB, 0)


def test_a_quota_holds_after_the_image_is_deleted(quota_pool: Pool) -> None:
    make_image(quota_pool, "image", os.urandom(40 * MIB))
    quota_pool.clone("image", "machine", 20 * MIB)
    quota_pool.destroy("image")
    wait_for_cleaner(quota_pool)
    assert written_until_full(quota_pool.path("machine") / "root/a", 10 * MIB) == (10 * MIB, 0)
    written, error = written_until_full(quota_pool.path("machine") / "root/b", 40 * MIB)
    assert error and written <= 10 * MIB


def test_subvolumes_that_a_tenant_makes_count_and_go_with_the_dataset(tmp_path: Path) -> None:
    with opened("btrfs", tmp_path) as pool:
        make_image(pool)
        pool.clone("image", "machine", 20 * MIB)
        inner = pool.path("machine") / "root/inner"
        for path in (inner, inner / "deeper"):
            subprocess.run(["btrfs", "subvolume", "create", str(path)], check=True, timeout=60)
        written, error = written_until_full(inner / "deeper/new", 60 * MIB)
        assert error and written <= 20 * MIB
        pool.snapshot("machine", "final")
        pool.destroy("machine")
        assert not pool.exists("machine")


def test_usage_counts_what_the_tenant_wrote(quota_pool: Pool) -> None:
    make_image(quota_pool, "image", os.urandom(40 * MIB))
    quota_pool.clone("image", "machine", 200 * MIB)
    (quota_pool.path("machine") / "root/new").write_bytes(os.urandom(10 * MIB))
    os.sync()
    assert 10 * MIB <= quota_pool.usage("machine") <= 11 * MIB


def test_a_plain_folder_refuses_quotas_in_words(tmp_path: Path) -> None:
    with opened("dir", tmp_path) as pool:
        make_image(pool)
        with pytest.raises(PoolError, match="plain folder"):
            pool.clone("image", "machine", MIB)
        assert pool.list() == ["image"]


def test_half_made_datasets_are_swept(pool: Pool) -> None:
    make_image(pool)
    pool.create("machine.partial")
    pool.snapshot("machine.partial", "final")
    assert pool.list() == ["image"]
    assert pool.sweep() == ["removed the half-made dataset zones/machine.partial"]
    assert not pool.exists("machine.partial")
    assert pool.snapshots("machine.partial") == []
    assert pool.sweep() == []


def test_a_clone_survives_the_rest_of_a_killed_one(pool: Pool) -> None:
    make_image(pool)
    pool.create("machine.partial")
    pool.clone("image", "machine")
    assert (pool.path("machine") / "root/file").read_bytes() == b"one"


@pytest.mark.parametrize("moved", [0, 1])
def test_a_killed_rename_is_finished(pool: Pool, moved: int) -> None:
    make_image(pool)
    (pool.root / ".renames/image").symlink_to("renamed")
    if moved:
        pool.path("image").rename(pool.path("renamed"))
    assert pool.sweep() == ["finished the rename of zones/image to zones/renamed"]
    assert pool.list() == ["renamed"]
    assert pool.snapshots("renamed") == ["final"]


def test_a_killed_destroy_is_finished(pool: Pool) -> None:
    make_image(pool)
    make_image(pool, "other")
    pool.path("image").rename(pool.path("image.partial"))
    pool.sweep()
    assert pool.snapshots("image") == []
    assert pool.snapshots("other") == ["final"]


@pytest.fixture
def settings() -> Iterator[Settings]:
    chosen = Settings(installation=f"test-pool-{os.getpid()}", pool_bytes=256 * MIB)
    try:
        yield chosen
    finally:
        close_pool(chosen)
        shutil.rmtree(chosen.state, ignore_errors=True)


def test_a_pool_is_found_again_and_never_attached_twice(settings: Settings) -> None:
    open_pool(settings).create("kept")
    assert open_pool(settings).list() == ["kept"]
    close_pool(settings)
    assert not sparse_file.is_mounted(settings.pool_mount)
    assert open_pool(settings).list() == ["kept"]
    assert len(loop_devices(settings.pool_file)) == 1


def test_a_loop_device_left_by_a_kill_is_used_and_goes_with_the_mount(settings: Settings) -> None:
    open_pool(settings)
    close_pool(settings)
    subprocess.run(["losetup", "--find", str(settings.pool_file)], check=True, timeout=60)
    open_pool(settings)
    assert len(loop_devices(settings.pool_file)) == 1
    subprocess.run(["umount", str(settings.pool_mount)], check=True, timeout=60)
    wait_until_detached(settings.pool_file)


@pytest.mark.parametrize("mounted", [True, False])
def test_a_pool_grows_when_it_may(settings: Settings, mounted: bool) -> None:
    open_pool(settings).create("kept")
    if not mounted:
        close_pool(settings)
    larger = Settings(installation=settings.installation, pool_bytes=512 * MIB)
    pool = open_pool(larger)
    assert pool.list() == ["kept"]
    assert pool.space().size_bytes == 512 * MIB


def test_a_pool_opens_although_its_disk_became_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_pool(settings).create("kept")
    close_pool(settings)
    monkeypatch.setattr(sparse_file, "_disk", lambda file: (0, 0, 100 * 1024**3))
    assert open_pool(settings).list() == ["kept"]
    assert settings.pool_file.stat().st_size == 256 * MIB


def test_a_pool_whose_file_is_gone_is_not_made_anew_under_a_node_that_runs(
    settings: Settings,
) -> None:
    pool = open_pool(settings)
    pool.create("kept")
    close_pool(settings)
    aside = settings.pool_file.rename(settings.pool_file.with_suffix(".aside"))
    with pytest.raises(PoolUnavailable, match=f"{settings.pool_file} is not there"):
        ensure(settings, pool)
    assert not settings.pool_file.exists()
    aside.rename(settings.pool_file)
    ensure(settings, pool)
    assert pool.list() == ["kept"]


def test_a_folder_that_is_gone_is_not_made_anew_under_a_node_that_runs(tmp_path: Path) -> None:
    settings = Settings(installation="test-folder", pool_device=str(tmp_path))
    pool = open_pool(settings)
    pool.create("kept")
    aside = pool.root.rename(tmp_path / "aside")
    with pytest.raises(PoolUnavailable, match=f"{pool.root} is not there"):
        ensure(settings, pool)
    aside.rename(pool.root)
    ensure(settings, pool)
    assert pool.list() == ["kept"]


def test_a_half_made_pool_file_is_made_again(settings: Settings) -> None:
    settings.state.mkdir(parents=True)
    settings.pool_file.with_suffix(".partial").write_bytes(b"half")
    assert open_pool(settings).list() == []


def test_the_pool_is_mounted_without_devices_and_setuid(settings: Settings) -> None:
    open_pool(settings)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    (line,) = [line for line in lines if f" {settings.pool_mount} " in line]
    assert {"nosuid", "nodev", "noatime"} <= set(line.split()[5].split(","))


def wait_until_detached(file: Path) -> None:
    """A device goes with its last user: udev on the host looks at every device that changes."""
    deadline_s = time.monotonic() + 30
    while loop_devices(file):
        assert time.monotonic() < deadline_s, "its loop device stays"
        time.sleep(0.02)


def loop_devices(file: Path) -> list[str]:
    command = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(file)]
    return subprocess.check_output(command, text=True, timeout=60).split()
