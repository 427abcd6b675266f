"""The database: a thread of its own, one connection, one transaction a call.

SQLite (WAL, synchronous=FULL: what was committed survives kill -9 and a power cut) and PostgreSQL
by URL. What is asked of it stands in the files beside this one.
"""

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from paas.errors import PlatformError
from paas.store.sql import backups, file, integrity, migrate
from paas.store.sql.backups import DatabaseDamaged

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000
NOTES_WAIT_S = 0.25
log = logging.getLogger(__name__)
_PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
)


class Database:
    """Made by `open`; safe to use from any number of tasks, which queue for its thread."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor, path: Path | None) -> None:
        self.path = path
        """Its file, if it has one."""
        self.on_damage: Callable[[DatabaseDamaged], None] = lambda _: None
        """Called, in the database's thread, when damage is found while it is used."""
        self._engine = engine
        self._thread = thread
        self._closed = threading.Event()
        self._notes: deque[Callable[[Connection], None]] = deque()

    @classmethod
    def open(cls, url: str) -> "Database":
        """Open (or make) the database and bring its schema up to date; blocks meanwhile.

        `url` is SQLAlchemy's: `sqlite:////path/platform.db`, `postgresql://user@host/name`.
        Raises UserError for a URL that can't be used and for a schema newer than this program,
        PlatformError when the database fails.
        """
        file.prepare(url)
        engine = _engine(url)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        database = cls(engine, thread, file.path_of(url))
        try:
            thread.submit(database._translated, migrate.upgrade, engine).result()
        except BaseException:
            database.close()
            raise
        return database

    async def run(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What `function(connection, *args, **kwargs)` returns, in one transaction.

        It commits when the function returns and rolls back when it raises. A caller that is
        cancelled no longer waits, but the transaction ends as a whole. Raises what the function
        raises, UserError(conflict) for a broken constraint, PlatformError when the database fails.
        """
        if self._closed.is_set():
            raise PlatformError("the database is closed")

        def transaction() -> T:
            with self._engine.begin() as connection:
                before = _changes(connection)
                found = function(connection, *args, **kwargs)
                noted = self._write_notes(connection) if _changes(connection) != before else 0
            self._forget_notes(noted)
            return found

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._translated, transaction)

    def note(self, function: Callable[[Connection], None]) -> None:
        """Have it done in the next transaction that writes, or a moment later in one of its own.

        Nobody waits for it, and it costs no wait of the disk: for what a crash may take along, like
        how long something took. Notes are written in their order; one that fails is logged.
        """
        self._notes.append(function)
        if len(self._notes) == 1:
            asyncio.get_running_loop().call_later(NOTES_WAIT_S, self._note_at_last)

    def _note_at_last(self) -> None:
        if not self._closed.is_set():
            self._thread.submit(self._note_alone)

    def _note_alone(self) -> None:
        try:
            if self._notes:
                with self._engine.begin() as connection:
                    noted = self._write_notes(connection)
                self._forget_notes(noted)
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._forget_notes(len(self._notes))
            log.error("notes are lost: %s", error)

    def _write_notes(self, connection: Connection) -> int:
        """How many; they are forgotten when they are committed."""
        notes = list(self._notes)
        for note in notes:
            try:
                with connection.begin_nested():
                    note(connection)
            except Exception as error:
                # Of what is gone meanwhile, mostly: an app that was destroyed.
                log.info("a note can't be written: %s", error)
        return len(notes)

    def _forget_notes(self, count: int) -> None:
        for _ in range(count):
            self._notes.popleft()

    async def back_up(self) -> Path | None:
        """Write a backup if it has a file that changed since the last. Raises PlatformError."""
        path = self.path
        if path is None or self._closed.is_set() or not backups.is_due(path):
            return None

        def write() -> Path:
            with closing(self._engine.raw_connection()) as connection:
                driver: Any = connection.driver_connection
                return backups.make(driver, path)

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._translated, write)

    def close(self) -> None:
        """Wait for the transaction that runs, then let go of the database. May be called twice.

        An SQLite file then is all there is: a copy of it alone is the whole database.
        """
        if not self._closed.is_set():
            self._thread.submit(self._note_alone).result()
        if not self._closed.is_set() and self.path is not None:
            with suppress(PlatformError):
                self._thread.submit(self._translated, self._merge_log).result()
        self._closed.set()
        self._thread.shutdown(wait=True)
        self._engine.dispose()

    def _merge_log(self) -> None:
        with closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _translated(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except DBAPIError as error:
            self._look_for_damage(error.orig, error)
            raise integrity.translate(error) from error
        except sqlite3.Error as error:
            self._look_for_damage(error, error)
            raise PlatformError(f"the database failed: {error}") from error
        except SQLAlchemyError as error:
            raise PlatformError(f"the database failed: {error}") from error

    def _look_for_damage(self, origin: BaseException | None, error: Exception) -> None:
        damage = backups.damage_of(origin, self.path) if self.path else None
        if damage is not None:
            self.on_damage(damage)
            raise damage from error


def _changes(connection: Connection) -> object:
    """Another value after something was written; always another where nothing tells."""
    driver = connection.connection.driver_connection
    return driver.total_changes if isinstance(driver, sqlite3.Connection) else object()


def _engine(url: str) -> Engine:
    """Parameters are hidden from errors and logs: config vars are secrets."""
    parsed = sqlalchemy.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(
            parsed,
            hide_parameters=True,
            poolclass=sqlalchemy.QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args={"check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediately)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(
        parsed, hide_parameters=True, pool_size=1, max_overflow=0, pool_pre_ping=True
    )


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: _begin_immediately does.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediately(connection: Connection) -> None:
    # A transaction that reads and then writes can't fail half-way for another process's write.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
