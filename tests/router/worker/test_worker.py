"""A worker in this process, told things at moments that a process of its own would not keep."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
import uvloop

from router.memory import counters
from router.traffic.visit import WorkerState
from router.wire import frames
from router.worker.main import Worker

TABLE = {
    "type": "table", "version": 1, "bases": [], "changed": [], "removed": [],
    "slots": {"apps": {}, "instances": {}}, "down": [], "rows": [1],
}  # fmt: skip


def _received(connection: socket.socket) -> bytes:
    """What lies in the socket: nothing is waited for."""
    with contextlib.suppress(BlockingIOError):
        return connection.recv(65536)
    return b""


def _is_still_outside(listener: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        listener.accept()[0].close()
        return True
    return False


@pytest.mark.parametrize("turns", range(6))
def test_who_is_let_in_as_it_is_told_to_stop_is_answered(tmp_path: Path, turns: int) -> None:
    async def story() -> None:
        state = WorkerState(counters.create(), 1, tmp_path)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        ours, theirs = socket.socketpair()
        worker = Worker(state, [listener], [])
        running = asyncio.create_task(worker.run(theirs))
        reader, writer = await asyncio.open_connection(sock=ours)
        assert await frames.read(reader) == {"type": "ready"}
        writer.write(frames.encode(TABLE))
        assert await frames.read(reader) == {"type": "applied", "version": 1}
        with listener, socket.create_connection(listener.getsockname(), 30) as visitor:
            for _ in range(turns):
                await asyncio.sleep(0)
            worker.stop(30)
            for _ in range(20):  # the request comes when all that can be done is done
                await asyncio.sleep(0)
            assert not (state.visits and running.done())
            visitor.sendall(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
            visitor.setblocking(False)
            await running
            assert b" 404 " in _received(visitor) or _is_still_outside(listener)
        writer.close()

    uvloop.run(asyncio.wait_for(story(), 60))
