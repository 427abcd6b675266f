"""Whose output a machine's log is."""

import asyncio
from pathlib import Path

from paas.apps.apps import App
from paas.platform.outputs import Outputs
from paas.store import Database, apps, outputs
from paas.store.sql.row import now


def test_an_app_has_its_machines_and_no_others() -> None:
    known = Outputs()
    known.add("a", "uuid-1", "web.1")
    known.add("b", "uuid-2", "web.1")
    known.add("a", "uuid-3", "worker.1")
    known.remove("a", "uuid-1")
    known.remove("a", "uuid-2")
    assert known.of("a") == [("uuid-3", "worker.1")]
    known.remove_app("a")
    assert (known.of("a"), known.of("b")) == ([], [("uuid-2", "web.1")])


def test_the_next_control_knows_them_in_the_same_order(tmp_path: Path) -> None:
    async def story() -> list[tuple[str, str]]:
        database = Database.open(f"sqlite:///{tmp_path / 'platform.db'}")
        known = Outputs()
        app = App("a", "hello", "owner@localhost", now())
        try:
            await database.run(apps.insert, app)
            for uuid, process in (("uuid-2", "web.1"), ("uuid-1", "worker.1")):
                await database.run(outputs.add, uuid, "a", process)
            await known.restore(database)
        finally:
            database.close()
        return known.of("a")

    assert asyncio.run(story()) == [("uuid-2", "web.1"), ("uuid-1", "worker.1")]
