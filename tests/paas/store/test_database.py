import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from paas.apps.apps import App
from paas.errors import PlatformError, UserError
from paas.store import Database, apps, releases, settings
from paas.store.sql import sequence
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import METADATA


def test_migrations_from_empty_make_the_schema(call: Any) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    assert call(differences) == []


def test_opening_again_keeps_what_is_there(url: str) -> None:
    for expected in (1, 2):
        database = Database.open(url)
        assert asyncio.run(database.run(sequence.next_value, "table")) == expected
        database.close()


def test_a_newer_schema_is_refused(url: str) -> None:
    database = Database.open(url)

    def newer(connection: Connection) -> None:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    asyncio.run(database.run(newer))
    database.close()
    with pytest.raises(UserError, match="not one of this program") as caught:
        Database.open(url)
    assert caught.value.id == "conflict"


def test_a_failed_function_changes_nothing(call: Any) -> None:
    def fails(connection: Connection) -> None:
        settings.set(connection, "a", "1")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        call(fails)
    assert call(settings.get, "a") is None


def test_a_failed_statement_does_not_spoil_the_next_call(call: Any, app: App) -> None:
    with pytest.raises(UserError):
        call(apps.insert, App(new_id(), "hello", "o", now()))
    assert call(apps.by_name, "hello") == app


def test_a_statement_that_is_wrong_is_the_platforms_failure(call: Any) -> None:
    with pytest.raises(PlatformError, match="the database failed"):
        call(lambda connection: connection.execute(sa.text("SELECT * FROM nothing")))


def test_secrets_stay_out_of_errors(call: Any, app: App) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(sa.text("INSERT INTO settings VALUES (:a, :b, :a)"), {"a": 1, "b": "S3"})

    with pytest.raises(PlatformError) as caught:
        call(fails)
    assert "S3" not in str(caught.value) + str(caught.value.__cause__)


def test_many_tasks_at_once_get_different_versions(database: Database) -> None:
    async def story() -> list[int]:
        app = await database.run(apps.insert, App(new_id(), "hello", "o", now()))
        made = (
            database.run(
                releases.insert, app_id=app.id, description="", user="", config={}, processes={}
            )
            for _ in range(20)
        )
        return [release.version for release in await asyncio.gather(*made)]

    assert sorted(asyncio.run(story())) == list(range(1, 21))


def test_two_databases_at_once_get_different_versions(url: str) -> None:
    async def story() -> list[int]:
        databases = [Database.open(url) for _ in range(2)]
        app = await databases[0].run(apps.insert, App(new_id(), "hello", "o", now()))
        made = (
            database.run(
                releases.insert, app_id=app.id, description="", user="", config={}, processes={}
            )
            for _ in range(10)
            for database in databases
        )
        versions = [release.version for release in await asyncio.gather(*made)]
        for database in databases:
            database.close()
        return versions

    assert sorted(asyncio.run(story())) == list(range(1, 21))


def test_a_cancelled_caller_leaves_a_whole_transaction(database: Database) -> None:
    async def story() -> str | None:
        entered, leave = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(connection: Connection) -> None:
            settings.set(connection, "a", "1")
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(10)

        task = asyncio.create_task(database.run(slow))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leave.set()
        return await database.run(settings.get, "a")

    assert asyncio.run(story()) == "1"


def test_the_event_loop_runs_on_during_a_transaction(database: Database) -> None:
    async def story() -> None:
        ticked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def waits_for_the_loop(connection: Connection) -> None:
            asyncio.run_coroutine_threadsafe(ticked.wait(), loop).result(10)

        task = asyncio.create_task(database.run(waits_for_the_loop))
        loop.call_soon(ticked.set)
        await task

    asyncio.run(story())


def test_a_closed_database_refuses(database: Database) -> None:
    database.close()
    with pytest.raises(PlatformError, match="closed"):
        asyncio.run(database.run(settings.get, "a"))
    database.close()


def test_sqlite_files_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "control" / "platform.db"
    database = Database.open(f"sqlite:///{path}")
    asyncio.run(database.run(settings.set, "a", "1"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    database.close()
    assert set(modes) >= {"platform.db", "platform.db-wal"} and set(modes.values()) == {0o600}


def test_sqlite_is_durable_and_checks_foreign_keys(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'platform.db'}")

    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert asyncio.run(database.run(pragmas)) == ["wal", 2, 1]
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite:////proc/x/y.db"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(UserError):
        Database.open(url)


WRITER = """
import asyncio, sys
from paas.store import Database, apps, releases
from paas.store.sql.row import new_id, now
from paas.apps.apps import App

async def main():
    database = Database.open(sys.argv[1])
    app = await database.run(apps.insert, App(new_id(), "hello", "o", now()))
    while True:
        release = await database.run(
            releases.insert, app_id=app.id, description="", user="", config={}, processes={})
        print(release.version, flush=True)

asyncio.run(main())
"""


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'platform.db'}"
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        answered = 0
        for line in writer.stdout:
            answered = int(line)
            if answered == 25:
                os.kill(writer.pid, signal.SIGKILL)
    database = Database.open(url)
    found = asyncio.run(database.run(releases.pending))
    database.close()
    versions = [release.version for release in found]
    assert versions == list(range(1, len(versions) + 1)) and len(versions) >= answered >= 25


def test_kill_9_during_the_migrations_leaves_a_database_that_opens(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    killer = (
        "import os, signal, sys\n"
        "from alembic import op\n"
        "from paas.store import Database\n"
        "real, seen = op.create_table, []\n"
        "def create_table(name, *args, **options):\n"
        "    seen.append(name)\n"
        "    if len(seen) == 4:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(name, *args, **options)\n"
        "op.create_table = create_table\n"
        "Database.open(sys.argv[1])\n"
    )
    ended = subprocess.run([sys.executable, "-c", killer, f"sqlite:///{path}"], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'releases'")
        assert tables.fetchone() == (0,)
    Database.open(f"sqlite:///{path}").close()


def test_notes_are_written_with_the_next_change_in_their_order(url: str) -> None:
    database = Database.open(url)
    seen: list[str] = []

    def read(connection: Connection) -> str | None:
        return settings.get(connection, "noted")

    def broken(connection: Connection) -> None:
        settings.set(connection, "noted", "never")
        raise ValueError

    async def story() -> None:
        database.note(lambda each: settings.set(each, "noted", "first"))
        database.note(broken)
        database.note(lambda each: settings.set(each, "noted", f"{read(each)}, second"))
        if database.path is not None:
            assert await database.run(read) is None
        with pytest.raises(ValueError):
            await database.run(broken)
        await database.run(settings.set, "other", "value")
        assert await database.run(read) == "first, second"
        database.note(lambda each: seen.append("alone"))
        while not seen:  # noqa: ASYNC110 (another thread)
            await asyncio.sleep(0.01)
        database.note(lambda each: settings.set(each, "noted", "at the end"))

    asyncio.run(story())
    database.close()
    again = Database.open(url)
    assert asyncio.run(again.run(read)) == "at the end"
    again.close()
