"""Backups of an SQLite database, damage that is found in it, and the way back.

A backup is a whole database of its own (`VACUUM INTO`). The last one of each day is kept, of seven
days. What is damaged is never used, and never overwritten: it is put aside.
"""

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from paas.errors import PlatformError, UserError
from paas.system.files import sync

KEPT = 7
COMMAND = "paas database:restore"
_ASIDE = ("", "-wal", "-shm")


class DatabaseDamaged(PlatformError):
    """The message names the file, its newest backup and what to do, in one sentence."""


def folder(database: Path) -> Path:
    return database.with_name("backups")


def all(database: Path) -> list[Path]:
    """The newest first."""
    return sorted(folder(database).glob(f"{database.stem}-*.db"), reverse=True)


def is_due(database: Path) -> bool:
    """Whether something was written since the newest one. Raises OSError."""
    newest = next(iter(all(database)), None)
    return newest is None or newest.stat().st_mtime_ns < max(_written_ns(database))


def _written_ns(database: Path) -> Iterator[int]:
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            yield database.with_name(database.name + suffix).stat().st_mtime_ns


def make(connection: sqlite3.Connection, database: Path) -> Path:
    """Write one, and forget those that are too many. No transaction may be open.

    Raises sqlite3.Error and OSError; a backup that was begun then does not count.
    """
    place = folder(database)
    place.mkdir(mode=0o700, exist_ok=True)
    temporary = place / "new"
    temporary.unlink(missing_ok=True)
    # SQLite writes into a file that is there when it is empty: nobody else may read secrets.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        connection.execute("VACUUM INTO ?", (str(temporary),))
        sync(temporary)
        made = temporary.rename(place / f"{database.stem}-{datetime.now(UTC):%Y-%m-%d}.db")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(place)
    for old in all(database)[KEPT:]:
        old.unlink(missing_ok=True)
    return made


def check(database: Path, repositories: Path | None = None) -> None:
    """Raises DatabaseDamaged. A database that is gone, though it was there, is damaged too:
    a new one would make everything that runs look like nobody's."""
    reason = _damage(database)
    if reason is None:
        return
    if reason == _MISSING and not all(database) and not _any_repository(repositories):
        return
    raise DatabaseDamaged(_sentence(database, reason))


def restore(database: Path, backup: Path | None = None) -> tuple[Path, Path | None]:
    """Put a backup (the newest that is whole) in the database's place.

    Answers which, and where the damaged file is now. Raises UserError when there is none.
    """
    chosen = _whole(database, backup)
    temporary = database.with_name(f"{database.name}.restored")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    shutil.copyfile(chosen, temporary)
    owner = database.parent.stat()
    os.chown(temporary, owner.st_uid, owner.st_gid)
    sync(temporary)
    aside = _put_aside(database)
    temporary.rename(database)
    sync(database.parent)
    return chosen, aside


_MISSING = "it is missing or empty"


def _damage(database: Path, *, at_rest: bool = False) -> str | None:
    """`at_rest`: nobody writes to it, so that it is read without leaving files beside it."""
    how = "mode=ro&immutable=1" if at_rest else "mode=rw"
    try:
        if not database.is_file() or database.stat().st_size == 0:
            return _MISSING
        if _is_cut(database):
            return "its end is missing"
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?{how}", uri=True)) as opened:
            (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error) if _is_damage(error) or at_rest else None
    return None if found == "ok" else str(found).splitlines()[-1]


def _is_cut(database: Path) -> bool:
    """By the page count in its head (SQLite's file format, 1.3.8); a log could bring the rest."""
    wal = database.with_name(f"{database.name}-wal")
    if wal.exists() and wal.stat().st_size:
        return False
    with database.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or head[24:28] != head[92:96]:
        return False
    page_bytes, pages = struct.unpack(">H", head[16:18])[0], struct.unpack(">L", head[28:32])[0]
    expected_bytes: int = (65536 if page_bytes == 1 else page_bytes) * pages
    return database.stat().st_size < expected_bytes


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def damage_of(error: BaseException | None, database: Path) -> DatabaseDamaged | None:
    """What an error of the driver means, when it means damage."""
    if isinstance(error, sqlite3.Error) and _is_damage(error):
        return DatabaseDamaged(_sentence(database, str(error)))
    return None


def _sentence(database: Path, reason: str) -> str:
    whole = next((path for path in all(database) if _damage(path, at_rest=True) is None), None)
    start = f"the database {database} is damaged ({reason})"
    if whole is None:
        return f"{start}, and it has no backup; `{COMMAND} FILE` (as root) puts one of yours there"
    return f"{start}; its newest backup is {whole}, which `{COMMAND}` (as root) puts in its place"


def _whole(database: Path, backup: Path | None) -> Path:
    for path in [backup] if backup else all(database):
        reason = _damage(path, at_rest=True)
        if reason is None:
            return path
        if backup:
            raise UserError("damaged", f"{path} is no database that is whole: {reason}.")
    raise UserError(
        "not_found",
        f"There is no backup in {folder(database)} that is whole.",
        f"Name one: {COMMAND} FILE",
    )


def _put_aside(database: Path) -> Path | None:
    """With its log: that belongs to it, and would damage another."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = database.with_name(f"{database.name}.damaged-{stamp}")
    moved = False
    for suffix in reversed(_ASIDE):
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(aside.with_name(aside.name + suffix))
            moved = suffix == ""
    return aside if moved else None


def _any_repository(repositories: Path | None) -> bool:
    return repositories is not None and next(repositories.glob("*.git"), None) is not None
