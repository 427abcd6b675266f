"""Garbage collection: objects that no ref reaches leave a repository, those of refused pushes most.

git itself does it, as the user of the server, with limits: `git repack` writes what the refs reach
into one pack and removes the others. Whoever calls sees to it that no push is under way.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from gitserver import trees

KEPT = "refs/hidden/kept/"
"""Refs that keep commits alive which the owner still needs: nobody sees them or may push there."""
GROWTH_BYTES = 64 * 1024 * 1024
EVERY_S = 24 * 3600.0
TIMEOUT_S = 300.0
_END_S = 5.0
_MARKER = "gitserver.collected"
_OPTIONS = (
    "core.hooksPath=/dev/null", "core.bigFileThreshold=16m", "gc.auto=0", "pack.threads=1",
    "pack.windowMemory=64m", "pack.deltaCacheSize=16m", "repack.writeBitmaps=false",
)  # fmt: skip


def is_due(path: Path, now_s: float | None = None) -> bool:
    """Whether packs came since the last time and a day has passed, or 64 MiB have come."""
    now_s = time.time() if now_s is None else now_s
    size = pack_bytes(path)
    try:
        last = json.loads((path / _MARKER).read_text())
        growth, age_s = size - int(last["bytes"]), now_s - float(last["at_s"])
    except (OSError, ValueError, KeyError, TypeError):
        growth, age_s = size, EVERY_S
    return growth >= GROWTH_BYTES or (growth != 0 and age_s >= EVERY_S)


def pack_bytes(path: Path) -> int:
    total = 0
    for file in (path / "objects" / "pack").glob("*.pack"):
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


async def collect(path: Path, keep: Iterable[str]) -> None:
    """`keep` are ids of commits that must stay too. Raises OSError, also when it took too long.

    One that was cancelled is as due as before; all objects that were needed are there.
    """
    await asyncio.to_thread(_keep, path, frozenset(keep))
    try:
        async with asyncio.timeout(TIMEOUT_S):  # TimeoutError is an OSError
            await _git(path, "repack", "-a", "-d", "-q")
            await _git(path, "prune", "--expire=now")
    except OSError:
        # What failed now would fail again in a minute: the next time is when more has come.
        await asyncio.to_thread(_mark, path)
        raise
    await asyncio.to_thread(_mark, path)


def _keep(path: Path, keep: frozenset[str]) -> None:
    """Make the hidden refs those of `keep`; remove what a killed predecessor left half done."""
    for file in (path / "objects" / "pack").glob(".tmp-*"):
        file.unlink(missing_ok=True)
    (path / "shallow.lock").unlink(missing_ok=True)
    there = {file.name for file in (path / KEPT).glob("*")}
    for id in keep - there:
        if trees.resolve(path, id) is not None:
            trees.set_ref(path, KEPT + id, id)
    for id in there - keep:
        trees.set_ref(path, KEPT + id, None)


def _mark(path: Path) -> None:
    temporary = path / f"{_MARKER}.new"
    temporary.write_text(json.dumps({"at_s": time.time(), "bytes": pack_bytes(path)}))
    temporary.rename(path / _MARKER)


async def _git(path: Path, *arguments: str) -> None:
    options = [word for option in _OPTIONS for word in ("-c", option)]
    process = await asyncio.create_subprocess_exec(
        "nice", "git", "--git-dir", str(path), *options, *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.defpath,
            "LC_ALL": "C",
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        },
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    except BaseException:
        await asyncio.shield(_end(process))
        raise
    if process.returncode != 0:
        raise OSError(f"git {arguments[0]}: {said.decode('utf-8', 'replace').strip()[:1000]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """git removes its temporary files on SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await process.wait()
            return
