"""Somebody's connection and a process in a zone, tied to one another.

With a terminal or with three pipes. What the process prints reaches the client byte for byte; what
the platform has to say comes at the end and is plain. The node is not in the way of the bytes.
"""

import asyncio
import contextlib
import os
import signal
import socket
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paas.node.client import Execution, Node
from paas.platform.attachments import STDERR, STDOUT, Client, Size
from paas.system import descriptors

IDLE_S = 3600.0
"""Heroku's: a connection on which nothing comes for so long is taken for lost."""
HANG_UP_S = 10.0
"""From SIGHUP to SIGKILL, for a process whose client is gone."""
REST_S = 10.0
"""How long what a process has printed is waited for after its end."""
LOST = 255
"""The exit status of what nobody saw end, as ssh has it."""
_CHUNK_BYTES = 64 * 1024
_ROWS, _COLUMNS, _LINES_MAX = 24, 80, 10_000


@dataclass(frozen=True)
class Process:
    """What is to run in which machine; `size` are rows and columns of its terminal, if any."""

    machine_uuid: str
    command: Sequence[str]
    folder: str
    size: tuple[int, int] | None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """`status` is as a shell has it; `said`, why it ended where it did not by itself."""

    status: int
    said: str = ""


@dataclass
class _Ends:
    """Our ends of its streams; `output` each with the number that the client knows it by."""

    input: int
    output: list[tuple[int, int]]
    master: int | None = None
    theirs: list[int] = field(default_factory=list)


class _Lost(Exception):
    """The client is gone, or as good as gone."""


class _Line:
    """The connection: when something passed it last, and whether anybody is there to print for."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.is_cut = asyncio.Event()
        self._passed_s = 0.0
        self.passed()

    def passed(self) -> None:
        self._passed_s = asyncio.get_running_loop().time()

    async def lost(self) -> None:
        """Raises _Lost, once nothing has passed for too long."""
        while not self.is_cut.is_set():
            left_s = self._passed_s + IDLE_S - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise _Lost(f"nothing came or went for {IDLE_S / 60:.0f} minutes")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self.is_cut.wait()
        raise _Lost("the connection was lost")


async def tie(node: Node, process: Process, client: Client) -> Ended:
    """Run the process to its end, or until the client goes. Raises NodeError when it can't be run.

    Cancelled, it is hung up on by the node.
    """
    with _opened(process) as ends:
        async with node.executing(
            process.machine_uuid,
            process.command,
            (ends.theirs[0], ends.theirs[1], ends.theirs[-1]),
            environment=process.environment,
            working_directory=process.folder,
            terminal=process.size is not None,
            hang_up_s=HANG_UP_S,
        ) as execution:
            _close(ends.theirs)
            return await _carry(execution, ends, client)


async def _carry(execution: Execution, ends: _Ends, client: Client) -> Ended:
    line = _Line(client)
    ending = asyncio.create_task(execution.ended())
    watching = asyncio.create_task(line.lost())
    typing = asyncio.create_task(_type(ends, line))
    printing = [asyncio.create_task(_print(number, name, line)) for number, name in ends.output]
    try:
        await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            status = ending.result()
            await asyncio.wait(printing, timeout=REST_S)
            return Ended(status.code if status.signal is None else 128 + status.signal)
        await _cancel(ending)
        # What it still prints is read on: a broken pipe would be another reason to end.
        await execution.hang_up(HANG_UP_S + REST_S)
        return Ended(128 + signal.SIGHUP, str(watching.exception()))
    finally:
        await _cancel(ending, watching, typing, *printing)


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _type(ends: _Ends, line: _Line) -> None:
    """What the client sends, to the process, until the client is gone."""
    mark = line.client.end_of_input if ends.master is None else b""
    while (message := await line.client.receive()) is not None:
        line.passed()
        if isinstance(message, Size):
            if ends.master is not None:
                termios.tcsetwinsize(ends.master, bounded(message.rows, message.columns))
            continue
        is_last = not message.data or bool(mark and message.data.endswith(mark))
        await _feed(ends, message.data.removesuffix(mark) if is_last else message.data)
        if is_last and ends.master is None and ends.input >= 0:
            os.close(ends.input)
            ends.input = -1
    line.is_cut.set()


async def _feed(ends: _Ends, data: bytes) -> None:
    """To its input, if that is still open; it may have closed it, which is no failure."""
    if data and ends.input >= 0:
        with contextlib.suppress(OSError):
            await descriptors.write(ends.input, data)


async def _print(descriptor: int, name: int, line: _Line) -> None:
    while data := await _read(descriptor):
        line.passed()
        if not line.is_cut.is_set():
            try:
                await line.client.send(name, data)
            except ConnectionError:
                line.is_cut.set()


async def carry_port(connection: socket.socket, client: Client) -> None:
    """A connection to a port in a zone: bytes both ways until either side has ended."""
    reader, writer = await asyncio.open_connection(sock=connection)
    line = _Line(client)

    async def inward() -> None:
        while (message := await client.receive()) is not None:
            line.passed()
            if isinstance(message, Size):
                continue
            if not message.data:
                writer.write_eof()
                continue
            writer.write(message.data)
            await writer.drain()
        line.is_cut.set()

    async def outward() -> None:
        while data := await reader.read(_CHUNK_BYTES):
            line.passed()
            await client.send(STDOUT, data)

    tasks = [asyncio.create_task(work) for work in (outward(), inward(), line.lost())]
    try:
        await asyncio.wait((tasks[0], tasks[2]), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(*tasks)
        writer.close()


async def _read(descriptor: int) -> bytes:
    try:
        return await descriptors.read(descriptor, _CHUNK_BYTES)
    except OSError:  # EIO: nobody has the other side of the terminal any more
        return b""


def bounded(rows: int, columns: int) -> tuple[int, int]:
    """A size that a terminal may have; 0 means that the client does not know."""
    return (min(rows, _LINES_MAX) or _ROWS, min(columns, _LINES_MAX) or _COLUMNS)


@contextlib.contextmanager
def _opened(process: Process) -> Iterator[_Ends]:
    ends = _pipes() if process.size is None else _terminal(process.size)
    for number in (ends.input, *(number for number, _ in ends.output)):
        os.set_blocking(number, False)
    try:
        yield ends
    finally:
        _close(ends.theirs)
        _close([number for number in {ends.input, *(each for each, _ in ends.output)}])


def _terminal(size: tuple[int, int]) -> _Ends:
    """Raw from the beginning: what is typed before the process has its own is not echoed twice."""
    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(slave, bounded(*size))
    return _Ends(master, [(master, STDOUT)], master, [slave, slave])


def _pipes() -> _Ends:
    (to_read, to_write), out, error = os.pipe(), os.pipe(), os.pipe()
    return _Ends(
        to_write, [(out[0], STDOUT), (error[0], STDERR)], None, [to_read, out[1], error[1]]
    )


def _close(numbers: list[int]) -> None:
    for number in set(numbers) - {-1}:
        os.close(number)
    numbers.clear()
