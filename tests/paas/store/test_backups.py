"""Backups of the database: that they are whole, how many stay, and the way back from damage."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.store import Database, settings
from paas.store.sql import backups
from paas.store.sql.backups import DatabaseDamaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control" / "platform.db"


def write(path: Path, value: str, *, back_up: bool = False) -> Path | None:
    database = Database.open(f"sqlite:///{path}")
    try:
        asyncio.run(database.run(settings.set, "key", value))
        return asyncio.run(database.back_up()) if back_up else None
    finally:
        database.close()


def read(path: Path) -> str | None:
    database = Database.open(f"sqlite:///{path}")
    try:
        return asyncio.run(database.run(settings.get, "key"))
    finally:
        database.close()


def test_a_closed_database_is_one_file(path: Path, tmp_path: Path) -> None:
    write(path, "one")
    assert [file.name for file in path.parent.iterdir()] == ["platform.db"]
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    assert read(copy) == "one"


def test_a_closed_database_is_whole_although_another_process_reads_it(
    path: Path, tmp_path: Path
) -> None:
    """SQLite merges its log by itself only when the last connection ends."""
    write(path, "one")
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM settings").fetchall()
    write(path, "two")
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    other.close()
    assert read(copy) == "two"


def test_a_backup_is_whole_and_readable_by_its_owner_alone(path: Path) -> None:
    made = write(path, "one", back_up=True)
    assert made is not None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    write(path, "two")
    assert read(made) == "one"


def test_a_backup_is_made_only_of_what_changed_and_each_day_has_one(path: Path) -> None:
    write(path, "one", back_up=True)
    database = Database.open(f"sqlite:///{path}")
    asyncio.run(database.back_up())
    assert asyncio.run(database.back_up()) is None
    database.close()
    write(path, "two", back_up=True)
    (only,) = backups.all(path)
    assert read(only) == "two"


def test_seven_are_kept(path: Path) -> None:
    write(path, "one", back_up=True)
    for day in range(1, 15):
        (backups.folder(path) / f"platform-2001-01-{day:02}.db").touch()
    write(path, "two", back_up=True)
    kept = backups.all(path)
    assert len(kept) == backups.KEPT
    assert read(kept[0]) == "two"
    assert kept[-1].name == "platform-2001-01-09.db"


def test_a_backup_that_fails_leaves_the_others_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write(path, "one", back_up=True)

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "sync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, "two", back_up=True)
    assert [file for file in backups.folder(path).iterdir()] == [made]
    assert made is not None and read(made) == "one"


def over(path: Path, position: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "its head": lambda path: over(path, 0, os.urandom(100)),
    "a page": lambda path: over(path, 4096, os.urandom(4096)),
    "all but its head": lambda path: over(path, 100, bytes(path.stat().st_size - 100)),
    "cut to half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut in a page": lambda path: os.truncate(path, path.stat().st_size - 1000),
    "empty": lambda path: os.truncate(path, 0),
    "gone": lambda path: path.unlink(),
    "text": lambda path: path.write_text("hello\n" * 1000) and None,  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_told_in_one_sentence_and_restoring_mends_it(path: Path, how: str) -> None:
    made = write(path, "one", back_up=True)
    DAMAGES[how](path)
    with pytest.raises(DatabaseDamaged) as caught:
        backups.check(path)
    said = str(caught.value)
    assert "\n" not in said
    assert all(word in said for word in (str(path), str(made), "`paas database:restore`")), said

    chosen, aside = backups.restore(path)
    assert chosen == made
    backups.check(path)
    assert read(path) == "one"
    assert (aside is None) == (how == "gone")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_sound_database_a_first_one_and_one_in_use_are_not_damaged(path: Path) -> None:
    backups.check(path)
    write(path, "one")
    backups.check(path)
    database = Database.open(f"sqlite:///{path}")
    asyncio.run(database.run(settings.set, "key", "two"))
    backups.check(path)
    database.close()
    assert read(path) == "two"


def test_a_database_that_vanished_is_not_made_anew_while_apps_are_there(
    path: Path, tmp_path: Path
) -> None:
    repositories = tmp_path / "repositories"
    repositories.mkdir()
    backups.check(path, repositories)
    (repositories / "an-app.git").mkdir()
    with pytest.raises(DatabaseDamaged, match=r"missing or empty.*no backup"):
        backups.check(path, repositories)


def test_a_damaged_backup_is_passed_over(path: Path) -> None:
    write(path, "one", back_up=True)
    bad = backups.folder(path) / "platform-2999-01-01.db"
    bad.write_bytes(os.urandom(10_000))
    path.unlink()
    assert backups.restore(path)[0] != bad
    with pytest.raises(UserError, match="no database that is whole"):
        backups.restore(path, bad)
    assert read(path) == "one"


def test_the_log_of_a_damaged_database_does_not_get_into_the_restored_one(path: Path) -> None:
    write(path, "one", back_up=True)
    script = (
        "import sqlite3, os, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('PRAGMA journal_mode=WAL'); c.execute('UPDATE settings SET value=\"lost\"');"
        "c.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=60)
    assert path.with_name("platform.db-wal").stat().st_size > 0
    over(path, 0, os.urandom(100))
    _, aside = backups.restore(path)
    assert aside is not None and aside.with_name(f"{aside.name}-wal").exists()
    assert read(path) == "one"


def test_damage_that_is_met_while_it_is_used_is_told(path: Path) -> None:
    write(path, "one", back_up=True)
    database = Database.open(f"sqlite:///{path}")
    told: list[DatabaseDamaged] = []
    database.on_damage = told.append
    over(path, 0, os.urandom(path.stat().st_size))
    with pytest.raises(DatabaseDamaged, match="database:restore"):
        for number in range(100):
            asyncio.run(database.run(settings.get, f"key{number}"))
            asyncio.run(database.run(settings.set, f"key{number}", "x" * 5000))
    assert told
    database.close()
