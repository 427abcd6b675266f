"""Connections to instances: each socket has one owner."""

import asyncio
import socket
from pathlib import Path

import pytest
import uvloop

from router.choice.instances import Instance
from router.memory import counters
from router.table import route_table
from router.traffic.upstream import Upstream
from router.traffic.visit import WorkerState
from router.wire import dial


def test_a_connection_whose_visitor_has_left_meanwhile_is_closed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, dialled = str(tmp_path / "web.sock"), []
    plain = dial.dial

    def remembering(path: str) -> socket.socket:
        dialled.append(plain(path))
        return dialled[0]

    async def story() -> None:
        instance = Instance(route_table.Instance("i-1", "web.1", unix=path), 0, 1, True)
        await Upstream(WorkerState(counters.create(), 1, tmp_path), instance).connect()
        for _ in range(5):
            await asyncio.sleep(0)

    monkeypatch.setattr(dial, "dial", remembering)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        uvloop.run(story())
    assert [each.fileno() for each in dialled] == [-1]
