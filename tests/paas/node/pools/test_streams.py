"""Datasets on the move: promote, rollback, send and receive; and streams that end too soon."""

import os
import time
from pathlib import Path

import pytest

from paas.node.pools import DatasetNotFound, Pool, PoolError
from tests.paas.node.pools.test_pools import (
    MIB,
    as_root,
    make_image,
    opened,
    pool,
    quota_pool,
    written_until_full,
)

__all__ = ["pool", "quota_pool"]
pytestmark = [pytest.mark.root, as_root]


def sent(pool: Pool, file: Path, name: str = "image", snapshot: str = "final") -> Path:
    with file.open("wb") as target:
        pool.send(name, snapshot, target)
    return file


def received(pool: Pool, file: Path, name: str = "copy", quota_bytes: int | None = None) -> None:
    with file.open("rb") as source:
        pool.receive(name, source, quota_bytes)


def test_a_promoted_clone_outlives_what_it_was_cloned_from(pool: Pool) -> None:
    make_image(pool)
    pool.clone("image", "trunk")
    pool.promote("trunk")
    pool.destroy("image")
    assert (pool.path("trunk") / "root/file").read_bytes() == b"one"
    with pytest.raises(DatasetNotFound, match="zones/absent"):
        pool.promote("absent")


def test_a_rollback_brings_back_what_was_and_keeps_the_snapshots(pool: Pool) -> None:
    make_image(pool)
    (pool.path("image") / "root/file").write_bytes(b"two")
    (pool.path("image") / "root/more").write_bytes(b"more")
    pool.snapshot("image", "later")
    for _ in range(2):
        pool.rollback("image", "final")
        assert (pool.path("image") / "root/file").read_bytes() == b"one"
        assert not (pool.path("image") / "root/more").exists()
    assert pool.snapshots("image") == ["final", "later"]
    pool.rollback("image", "later")
    assert (pool.path("image") / "root/file").read_bytes() == b"two"
    assert pool.sweep() == []
    with pytest.raises(DatasetNotFound, match="zones/image@absent"):
        pool.rollback("image", "absent")


def test_a_quota_holds_after_a_rollback(quota_pool: Pool) -> None:
    make_image(quota_pool)
    quota_pool.rollback("image", "final", 20 * MIB)
    written, error = written_until_full(quota_pool.path("image") / "root/new", 60 * MIB)
    assert error and written <= 20 * MIB


def test_a_dataset_travels_with_owners_modes_and_its_snapshot(pool: Pool, tmp_path: Path) -> None:
    make_image(pool, content=os.urandom(3 * MIB))
    file = pool.path("image") / "root/file"
    os.chown(file, 1000, 1001)
    file.chmod(0o750)
    (pool.path("image") / "root/link").symlink_to("/etc/passwd")
    pool.snapshot("image", "moved")
    received(pool, sent(pool, tmp_path / "stream", snapshot="moved"))
    copy = pool.path("copy") / "root/file"
    assert copy.read_bytes() == file.read_bytes()
    status = copy.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1000, 1001, 0o750)
    assert (pool.path("copy") / "root/link").is_symlink()
    assert pool.snapshots("copy") == ["moved"]
    copy.write_bytes(b"writable")
    pool.destroy("image")
    pool.rollback("copy", "moved")
    assert copy.stat().st_size == 3 * MIB
    assert pool.sweep() == []


def test_a_stream_that_ends_too_soon_leaves_nothing(pool: Pool, tmp_path: Path) -> None:
    make_image(pool, content=os.urandom(MIB))
    whole = sent(pool, tmp_path / "stream").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 20):
        (tmp_path / "half").write_bytes(whole[:size])
        with pytest.raises(PoolError):
            received(pool, tmp_path / "half")
        assert pool.list() == ["image"]
        assert pool.snapshots("copy") == []
        assert pool.sweep() == []
    received(pool, tmp_path / "stream")
    assert pool.list() == ["copy", "image"]


def test_what_is_no_stream_is_refused(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(MIB))
    with pytest.raises(PoolError, match="receiving a dataset failed"):
        received(pool, tmp_path / "noise")
    assert pool.list() == []


def test_a_half_received_stream_of_a_killed_node_is_swept(pool: Pool) -> None:
    (pool.root / ".snapshots/copy.partial").mkdir()
    pool.create("half")
    pool.path("half").rename(pool.root / ".snapshots/copy.partial/final")
    assert len(pool.sweep()) == 1
    assert list((pool.root / ".snapshots").iterdir()) == []


def test_a_stream_never_replaces_a_dataset(pool: Pool, tmp_path: Path) -> None:
    make_image(pool)
    stream = sent(pool, tmp_path / "stream")
    with pytest.raises(PoolError, match="exists already"):
        received(pool, stream, "image")
    assert (pool.path("image") / "root/file").read_bytes() == b"one"


def test_a_thousand_datasets_are_made_listed_measured_and_deleted(tmp_path: Path) -> None:
    with opened("btrfs", tmp_path, 2048) as pool:
        make_image(pool)
        names = [f"machine-{number:04}" for number in range(1000)]
        start_s = time.perf_counter()
        for name in names:
            pool.clone("image", name, MIB * 100)
        cloned_s, start_s = time.perf_counter() - start_s, time.perf_counter()
        assert pool.list() == ["image", *names]
        listed_s, start_s = time.perf_counter() - start_s, time.perf_counter()
        os.sync()  # What it counts changes with the next commit.
        start_s = time.perf_counter()
        used = pool.usages()
        measured_s, start_s = time.perf_counter() - start_s, time.perf_counter()
        assert used.keys() == {"image", *names}
        one = pool.usage(names[500])
        one_s, start_s = time.perf_counter() - start_s, time.perf_counter()
        assert used[names[500]] == one
        for name in names:
            pool.destroy(name)
        deleted_s, start_s = time.perf_counter() - start_s, time.perf_counter()
        assert pool.list() == ["image"]
        print(
            f"1,000 datasets: clone {cloned_s:.2f} s, list {listed_s * 1000:.1f} ms, usage of all "
            f"{measured_s * 1000:.0f} ms, of one {one_s * 1000:.1f} ms, delete {deleted_s:.2f} s"
        )
