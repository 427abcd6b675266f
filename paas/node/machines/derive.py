"""An image from another one and a stream of differences, in a process that is shut into the tree.

The process starts while the origin is still being cloned. Its cgroup is one for all of them, among
the builds'. It ends with its caller, with the node, or when its time is over.
"""

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas.node import words
from paas.node.errors import NodeError
from paas.node.images import extractor
from paas.node.images.base import APP_ID
from paas.node.images.store import Images
from paas.node.zone import cgroups
from paas.settings import Settings

FOLDER = "app"
"""Below the image's root: what the names in a stream begin at."""
TIME_S = 300
ENTRIES_MAX = 1_000_000
_END_S = 10.0
_LINE_BYTES_MAX = 1000
_CGROUP = "images"
_OF_THE_POOL = {str(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)}
"""Errors that are the pool's in its own words (`pools.interface.explain`)."""
_LIMITS = cgroups.Limits(memory_mib=1024, swap_mib=1024, cpu_shares=1024, cpu_cap=0, lwps=64)
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
_PROGRAM = f"{_START}from {extractor.__name__} import start; start()"
_CODE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Derivation:
    """What is to be made of which image. `stream` is a descriptor, and the caller's to close."""

    origin: str
    manifest: Mapping[str, Any]
    quota_bytes: int
    stream: int


async def run(settings: Settings, images: Images, derivation: Derivation) -> dict[str, Any]:
    """The image's manifest; cancelled, nothing of it is left. Raises NodeError, OSError."""
    with _process(settings, derivation) as process:
        quota_bytes = derivation.quota_bytes if images.pool.enforces_quotas else None
        work = asyncio.to_thread(
            images.derive, derivation.manifest, derivation.origin, process.change, quota_bytes
        )
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({working})
            return working.result()
        except asyncio.CancelledError:
            process.end()
            # How it ended then is nobody's matter, but it is asked for: else asyncio logs it.
            await asyncio.gather(working, return_exceptions=True)
            raise


class _Process:
    """The extractor, which waits to be told where the tree is."""

    def __init__(self, process: subprocess.Popen[bytes], begin: int) -> None:
        self._process = process
        self._begin = begin

    def change(self, root: Path) -> None:
        """Let it work there, and wait for its end. Blocks. Raises NodeError, OSError."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._begin, os.fsencode(root))
        assert self._process.stderr is not None
        line = self._process.stderr.read(_LINE_BYTES_MAX)
        status = self._process.wait(TIME_S + _END_S)
        if status:
            raise _failure(status, line.decode("ascii", "replace"))

    def end(self) -> None:
        """Fine if it has ended. `change` returns when nobody writes to the tree any more."""
        self._process.kill()


@contextlib.contextmanager
def _process(settings: Settings, derivation: Derivation) -> Iterator[_Process]:
    """Started by the event loop's thread: the end of who starts it is its end (prctl(2))."""
    waiting, begin = os.pipe()
    try:
        process = subprocess.Popen(
            _command(settings, derivation, waiting),
            stdin=derivation.stream,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[waiting],
            env={},
            start_new_session=True,
        )
    except BaseException:
        os.close(begin)
        raise
    finally:
        os.close(waiting)
    try:
        yield _Process(process, begin)
    finally:
        os.close(begin)
        _collect(process)


def _command(settings: Settings, derivation: Derivation, waiting: int) -> list[str]:
    size_bytes = derivation.quota_bytes
    arguments = (os.getpid(), waiting, FOLDER, APP_ID, size_bytes, ENTRIES_MAX, TIME_S)
    # Isolated and without site packages it starts in half the time.
    python = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_CODE)]
    return [*python, *map(str, arguments), *map(str, _entrances(settings))]


def _entrances(settings: Settings) -> Sequence[Path]:
    path = cgroups.name(settings.installation, words.BUILDS, _CGROUP)
    found = cgroups.entrances(path)
    if not all(entrance.exists() for entrance in found):
        cgroups.make(path, _LIMITS)
    return found


def _collect(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


def _failure(status: int, line: str) -> Exception:
    """What the extractor says of itself: by then it may be a stranger's, who says anything."""
    number, _, message = line.strip().partition(" ")
    if status == extractor.FAILED and number in _OF_THE_POOL:
        return OSError(int(number), message)
    text = message if status == extractor.FAILED and message else f"it ended with status {status}"
    return NodeError("DeriveFailed", f"the differences can't be applied: {text:.500}")
