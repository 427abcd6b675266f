"""git's own command, for what it does best: with nobody's configuration, and never left behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_OPTIONS = (
    "core.hooksPath=/dev/null", "core.bigFileThreshold=16m", "gc.auto=0", "pack.threads=1",
    "pack.windowMemory=64m", "pack.deltaCacheSize=16m", "repack.writeBitmaps=false",
)  # fmt: skip
_ERROR_BYTES_MAX = 1000
_END_S = 5.0


def environment() -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
    }


async def run(path: Path, *words: str, given: bytes = b"") -> bytes:
    """What it writes, when it has ended. Raises OSError with its own words."""
    async with _running(path, words) as process:
        written, said = await process.communicate(given)
        _check(process, words, said)
    return written


async def lines(path: Path, *words: str) -> AsyncGenerator[bytes]:
    """What it writes, as it comes; of a command that says little on standard error.

    It has ended when the generator is closed.
    """
    async with _running(path, words) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.close()
        async for line in process.stdout:
            yield line
        said = await process.stderr.read(_ERROR_BYTES_MAX)
        await process.wait()
        _check(process, words, said)


@asynccontextmanager
async def _running(path: Path, words: tuple[str, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    options = [word for option in _OPTIONS for word in ("-c", option)]
    process = await asyncio.create_subprocess_exec(
        "nice", "git", "--git-dir", str(path), *options, *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    except BaseException:
        await asyncio.shield(_end(process))
        raise


def _check(process: asyncio.subprocess.Process, words: tuple[str, ...], said: bytes) -> None:
    if process.returncode != 0:
        text = said[:_ERROR_BYTES_MAX].decode("utf-8", "replace").strip()
        raise OSError(f"git {words[0]}: {text}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """git removes its temporary files on SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await process.wait()
            return
