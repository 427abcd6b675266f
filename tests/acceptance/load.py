"""A small steady load: fresh and kept connections, every answer with its time and its body.

Written on bare sockets, because a client that repeats a request by itself would hide what we count.
A kept connection that was closed between two requests is opened anew, as any client does.
"""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Self

KEPT, FRESH = 2, 2
PER_SECOND = 50
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Answer:
    """`status` is 0 and `error` says why when there was no answer."""

    started: float
    ended: float
    status: int
    body: str
    error: str = ""
    kept: bool = False

    @property
    def failed(self) -> bool:
        return self.status != 200

    def broke_off(self, began: float, ended: float) -> bool:
        """Whether the connection ended while the request was under way in this span."""
        return self.status == 0 and self.started <= ended and self.ended >= began


@dataclass
class Load:
    """`with Load(port, host) as load:` asks `/` all the while."""

    port: int
    host: str
    answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(TIMEOUT_S + 5)

    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]

    def since(self, moment: float) -> list[Answer]:
        """Answers to requests that were sent after `moment`."""
        return [answer for answer in self.answers if answer.started > moment]

    def bodies_since(self, moment: float) -> set[str]:
        return {answer.body for answer in self.since(moment)}

    def more(self, count: int = 20) -> None:
        """Wait for that many further answers."""
        goal = len(self.answers) + count
        deadline = time.monotonic() + TIMEOUT_S + 10
        while len(self.answers) < goal:
            assert time.monotonic() < deadline, "the load stands still"
            time.sleep(0.02)

    async def _run(self) -> None:
        lanes = [self._lane(True) for _ in range(KEPT)] + [self._lane(False) for _ in range(FRESH)]
        await asyncio.gather(*lanes)

    async def _lane(self, kept: bool) -> None:
        connection: _Connection | None = None
        pause_s = (KEPT + FRESH) / PER_SECOND
        while not self._stop.is_set():
            began = time.monotonic()
            # Two turns of the loop: what was closed before this moment is known to be, then.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if connection is not None and _hung_up(connection):
                connection[1].close()
                connection = None
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    if connection is None:
                        connection = await _connect(self.port)
                    status, body, stays = await _ask(connection, self.host, kept)
                answer = Answer(began, time.monotonic(), status, body, kept=kept)
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                answer = Answer(began, time.monotonic(), 0, "", repr(error), kept)
                if connection is not None:
                    connection[1].close()
                connection = None
            else:
                if not stays:
                    connection[1].close()
                    connection = None
            self.answers.append(answer)
            await asyncio.sleep(max(0.0, pause_s - (time.monotonic() - began)))
        if connection is not None:
            connection[1].close()


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(port: int) -> _Connection:
    return await asyncio.open_connection("127.0.0.1", port)


def _hung_up(connection: _Connection) -> bool:
    reader, _ = connection
    return reader.at_eof() or reader.exception() is not None


async def _ask(connection: _Connection, host: str, kept: bool) -> tuple[int, str, bool]:
    """Status, body, and whether the connection can be used again."""
    reader, writer = connection
    closing = "" if kept else "connection: close\r\n"
    writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\n{closing}\r\n".encode())
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(fields["content-length"]))
    stays = kept and fields.get("connection", "").lower() != "close"
    return int(head[0].split()[1]), body.decode(), stays


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
