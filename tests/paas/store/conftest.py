"""A database of each kind: SQLite in a file, and PostgreSQL where its server is installed."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paas.apps.apps import App
from paas.store import Database, apps
from paas.store.sql.row import new_id, now

POSTGRES_TIMEOUT_S = 60


def _binary(name: str) -> str | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, folders)))


@pytest.fixture(scope="session")
def postgresql_folder() -> Iterator[str]:
    """The folder of a running server's socket; the server is gone afterwards."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    initdb, postgres = _binary("initdb"), _binary("postgres")
    if initdb is None or postgres is None:
        pytest.skip("no PostgreSQL server is installed (initdb, postgres)")
    folder = tempfile.mkdtemp(prefix="paas-test-pg-")
    # PostgreSQL refuses to run as root.
    other: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    if other:
        shutil.chown(folder, "nobody")
    data = f"{folder}/data"
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, timeout=POSTGRES_TIMEOUT_S, cwd="/", **other,
        )  # fmt: skip
        command = [postgres, "-D", data, "-k", folder, "-F", "-c", "listen_addresses="]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd="/", **other
        ) as server:
            try:
                _wait_until_ready(server)
                yield folder
            finally:
                # Immediate shutdown: nothing in it is worth keeping.
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(server: "subprocess.Popen[str]") -> None:
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        said.append(line)
        if "ready to accept connections" in line:
            # Later lines must not fill the pipe.
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return
    pytest.fail(f"PostgreSQL did not start: {''.join(said)}")


@pytest.fixture
def postgresql_url(postgresql_folder: str) -> Iterator[str]:
    """A new database on that server."""
    import psycopg

    name = f"test_{os.urandom(4).hex()}"
    server = f"host={postgresql_folder} user=test dbname=postgres"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload,unused-ignore]
    yield f"postgresql://test@/{name}?host={postgresql_folder}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")  # type: ignore[call-overload,unused-ignore]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'control' / 'platform.db'}"
    found: str = request.getfixturevalue("postgresql_url")
    return found


Call = Callable[..., Any]


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database.open(url)
    yield opened
    opened.close()


@pytest.fixture
def call(database: Database) -> Iterator[Call]:
    """`call(apps.by_name, "hello")`: one transaction, without asyncio in the test."""
    with asyncio.Runner() as runner:

        def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return runner.run(database.run(function, *args, **kwargs))

        yield run


@pytest.fixture
def app(call: Call) -> App:
    inserted: App = call(apps.insert, App(new_id(), "hello", "owner@localhost", now()))
    return inserted
