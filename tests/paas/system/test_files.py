"""Files written by rename: whole, private until they may be read, and nothing left behind."""

import os
from pathlib import Path

import pytest

from paas.system.files import sync, write_by_rename


def test_the_new_content_takes_the_place_of_the_old_and_nothing_else_is_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.json"
    path.write_text("old and longer than the new")
    write_by_rename(path, "néw")
    assert path.read_text() == "néw"
    write_by_rename(path, b"\x00bytes")
    assert path.read_bytes() == b"\x00bytes"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_by_rename(tmp_path / "file", "x", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o7777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_gives_the_file_to_its_owner(tmp_path: Path) -> None:
    write_by_rename(tmp_path / "file", "x", owner=(1234, 2345))
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 2345, 0o600)


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / "file").symlink_to(other)
    write_by_rename(tmp_path / "file", "ours")
    assert other.read_text() == "theirs"
    assert not (tmp_path / "file").is_symlink()


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no room"):
        write_by_rename(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_can_be_synced_as_a_file_can(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sync(tmp_path / "file")
    sync(tmp_path)
