"""The keeper's side of its workers, where their processes' timing would hide a fault."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from router.keeper.credentials import Credentials
from router.keeper.crew import Crew
from router.keeper.listeners import Listeners
from router.keeper.orphans import Orphans
from router.keeper.state import State
from router.memory import bells, counters


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    shared = counters.create()
    state = State(tmp_path / "table.json", shared)
    credentials = Credentials(tmp_path / "certificates.json")
    orphans = Orphans(tmp_path / "workers")
    options = ["--log-folder", str(tmp_path)]
    return Crew(state, shared, bells.create(), Listeners(), credentials, options, 2, orphans)


def test_a_worker_hired_while_another_is_still_connected_gets_a_row_of_its_own(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def hire_one_more(sock: socket.socket) -> Any:
        monkeypatch.setattr(asyncio, "open_connection", connect)
        await crew._hire(1)
        return await connect(sock=sock)

    monkeypatch.setattr(asyncio, "open_connection", hire_one_more)

    async def hire() -> list[int]:
        await crew._hire(1)
        rows = crew.rows()
        await crew.end(1)
        return rows

    assert asyncio.run(hire()) == [1, 2]
