"""What a visitor is told when the router itself is wrong."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import uvloop

from router.memory import counters
from router.traffic.downstream import Downstream
from router.traffic.visit import WorkerState


def test_an_error_of_our_own_is_h99_and_is_reported(tmp_path: Path, capfd: Any) -> None:
    state = WorkerState(counters.create(), 1, tmp_path)
    state.routes = None  # type: ignore[assignment]

    async def visit() -> bytes:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Downstream(state, b"80"), ours)
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        writer.write(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    answer = uvloop.run(visit())
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    state.log.close()
    logged = (tmp_path / "unrouted.log").read_text()
    assert 'at=error code=H99 desc="Platform error" method=GET path="/"' in logged
    assert " status=500 " in logged
    assert "AttributeError" in capfd.readouterr().err
