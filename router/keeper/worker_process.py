"""One worker as the keeper sees it: its process, the channel to it, and what it has said."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.keeper.listeners import Listeners
from router.memory.bells import Bells
from router.memory.counters import Counters
from router.wire import frames


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What every worker has from the keeper: descriptors, and options of its command line."""

    listeners: Listeners
    counters: Counters
    bells: Bells
    options: Sequence[str]


class WorkerProcess:
    """`present` once the worker has said that it can be told things: until then it serves nobody,
    and nobody waits for it."""

    def __init__(
        self,
        row: int,
        generation: int,
        process: asyncio.subprocess.Process,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.row = row
        self.generation = generation
        self.process = process
        self.writer = writer
        self.present = False
        self.version = -1
        self.known: dict[str, int] = {}
        """The version of each thing shared beside the table that the worker has."""
        self.leaving = False

    def say(self, message: dict[str, Any]) -> None:
        self.writer.write(frames.encode(message))

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


async def start(
    row: int, generation: int, inheritance: Inheritance
) -> tuple[WorkerProcess, asyncio.StreamReader]:
    """A new worker, and what it says. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        process = await _spawn(row, theirs.fileno(), inheritance)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    reader, writer = await asyncio.open_connection(sock=ours)
    return WorkerProcess(row, generation, process, writer), reader


async def _spawn(row: int, channel: int, inheritance: Inheritance) -> asyncio.subprocess.Process:
    plain = [listener.fileno() for listener in inheritance.listeners.plain]
    secure = [listener.fileno() for listener in inheritance.listeners.secure]
    counters, bells = inheritance.counters.descriptor, inheritance.bells.descriptors
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "router.worker", "--row", str(row)),
        *("--listen", _listed(plain), "--listen-tls", _listed(secure)),
        *("--channel", str(channel), "--counters", str(counters), "--bells", _listed(bells)),
        *inheritance.options,
        pass_fds=[*plain, *secure, channel, counters, *bells],
        stdin=subprocess.DEVNULL,
        env=_environment(),
    )


def _listed(descriptors: Sequence[int]) -> str:
    return ",".join(map(str, descriptors))


def _environment() -> dict[str, str]:
    """Workers run the code that this file is part of, wherever they are started.

    glibc's malloc must not give the memory of each large read back to the kernel and ask for it
    again with the next (mallopt(3)): that cost more than copying the data.
    """
    here = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return os.environ | {
        "PYTHONPATH": f"{here}{os.pathsep}{path}" if path else here,
        "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
        "MALLOC_TOP_PAD_": str(1024 * 1024),
    }
