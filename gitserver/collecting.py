"""Garbage collection: objects that no ref reaches leave a repository, those of refused pushes most.

git itself does it, as the user of the server, with limits: `git repack` writes what the refs reach
into one pack and removes the others. Whoever calls sees to it that no push is under way.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

from gitserver import gitcommand, trees
from gitserver.lfs import collecting as large_files
from gitserver.lfs import store

KEPT = "refs/hidden/kept/"
"""Refs that keep commits alive which the owner still needs: nobody sees them or may push there."""
GROWTH_BYTES = 64 * 1024 * 1024
EVERY_S = 24 * 3600.0
TIMEOUT_S = 300.0
_MARKER = "gitserver.collected"


def is_due(path: Path, now_s: float | None = None) -> bool:
    """Whether packs came since the last time and a day has passed, or 64 MiB have come."""
    now_s = time.time() if now_s is None else now_s
    size = held_bytes(path)
    try:
        last = json.loads((path / _MARKER).read_text())
        growth, age_s = size - int(last["bytes"]), now_s - float(last["at_s"])
    except (OSError, ValueError, KeyError, TypeError):
        growth, age_s = size, EVERY_S
    return growth >= GROWTH_BYTES or (growth != 0 and age_s >= EVERY_S)


def held_bytes(path: Path) -> int:
    """By packs, and by large files that commits may point at."""
    return pack_bytes(path) + store.total_bytes(path)


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
            await gitcommand.run(path, "repack", "-a", "-d", "-q")
            await gitcommand.run(path, "prune", "--expire=now")
            await large_files.collect(path)
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
    temporary.write_text(json.dumps({"at_s": time.time(), "bytes": held_bytes(path)}))
    temporary.rename(path / _MARKER)
