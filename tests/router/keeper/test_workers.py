"""The keeper's side of its workers, where their processes' timing would hide a fault."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from router.keeper.credentials import Credentials
from router.keeper.listeners import Listeners
from router.keeper.orphans import Orphans
from router.keeper.state import State
from router.keeper.worker_process import Inheritance
from router.keeper.workers import Workers
from router.memory import bells, counters


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    shared = counters.create()
    state = State(tmp_path / "table.json", shared)
    credentials = Credentials(tmp_path / "certificates.json")
    orphans = Orphans(tmp_path / "workers")
    options = ["--log-folder", str(tmp_path)]
    inheritance = Inheritance(Listeners(), shared, bells.create(), options)
    return Workers(2, inheritance, state, credentials, orphans)


def test_a_worker_addd_while_another_is_still_connected_gets_a_row_of_its_own(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def start_one_more(sock: socket.socket) -> Any:
        monkeypatch.setattr(asyncio, "open_connection", connect)
        await workers._add(1)
        return await connect(sock=sock)

    monkeypatch.setattr(asyncio, "open_connection", start_one_more)

    async def start() -> list[int]:
        await workers._add(1)
        rows = workers.rows()
        await workers.end(1)
        return rows

    assert asyncio.run(start()) == [1, 2]
