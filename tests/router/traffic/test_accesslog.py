"""The files of access lines."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.traffic import accesslog
from router.traffic.accesslog import AccessLog, quoted


def test_lines_of_two_workers_are_whole(tmp_path: Path) -> None:
    first, second = AccessLog(tmp_path), AccessLog(tmp_path)
    for number in range(100):
        first.add("a", b"one %d\n" % number)
        second.add("a", b"two %d\n" % number)
        if number % 7 == 0:
            first.flush()
            second.flush()
    first.close()
    second.close()
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{w} {n}" for w in ("one", "two") for n in range(100))


def test_a_file_is_rotated_at_its_cap_by_one_of_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accesslog, "FILE_BYTES_MAX", 1000)
    logs = [AccessLog(tmp_path), AccessLog(tmp_path)]
    for number in range(60):
        log = logs[number % 2]
        log.add("a", b"%039d\n" % number)
        log.flush()
    for log in logs:
        log.close()
    lines = b"".join((tmp_path / name).read_bytes() for name in ("a.log.1", "a.log")).split()
    assert lines == [b"%039d" % number for number in range(60 - len(lines), 60)]
    assert (tmp_path / "a.log").stat().st_size <= 1000


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    log.add("a", b"1\n")
    log.flush()
    (tmp_path / "a.log").rename(tmp_path / "elsewhere")
    log.add("a", b"2\n")
    log.close()
    assert (tmp_path / "a.log").read_bytes() == b"2\n"


def _open_files(folder: Path) -> int:
    """Of this process: what lies elsewhere is other tests'."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += link.readlink().is_relative_to(folder)
    return count


def test_few_files_are_open_however_many_apps_there_are(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    for turn in range(3):
        for app in range(accesslog.OPEN_FILES_MAX * 2):
            log.add(f"app-{app}", b"%d\n" % turn)
        log.flush()
    assert 0 < _open_files(tmp_path) <= accesslog.OPEN_FILES_MAX
    log.close()
    assert _open_files(tmp_path) == 0
    assert (tmp_path / "app-0.log").read_bytes() == b"0\n1\n2\n"


def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    for _ in range(accesslog.PENDING_LINES_MAX + 5):
        log.add("a", b"x\n")
    assert log.dropped == 5
    log.flush()
    log.add("a", b"x\n")
    assert log.dropped == 5
    log.close()


def test_a_log_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    log = AccessLog(tmp_path)
    log.add("a", b"x\n")
    log.add("b", b"y\n")
    log.close()
    assert log.dropped == 1
    assert (tmp_path / "b.log").read_bytes() == b"y\n"


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "a.log").symlink_to(target)
    log = AccessLog(tmp_path)
    log.add("a", b"x\n")
    log.close()
    assert not target.exists()


@given(st.floats(0, 4e9))
def test_stamps_are_rfc_3339_with_microseconds(now: float) -> None:
    stamp = AccessLog(Path("/nonexistent")).stamp(now).decode()
    assert stamp.startswith(time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(now))))
    assert len(stamp) == len("2026-11-22T15:36:00.123456+00:00")


@given(st.binary(max_size=40))
def test_quoted_text_has_no_way_out_of_its_quotes(value: bytes) -> None:
    text = quoted(value)
    assert b"\n" not in text
    assert text.isascii()
    assert b'"' not in text.replace(b"\\\\", b"").replace(b'\\"', b"")
