"""Large files that no commit points at leave the repository, a day after they came.

Clients send them before the commits that need them, so that young ones may be awaited. Runs after
git's own collection: what objects there are then is what the refs reach.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from gitserver import gitcommand
from gitserver.lfs import pointers, store

AGE_S = 24 * 3600.0
_AT_ONCE = 5000
"""So many small files are in memory at a time."""


async def collect(path: Path) -> None:
    """Raises OSError when git fails; nothing is removed then."""
    old = await asyncio.to_thread(store.older_than, path, AGE_S)
    if not old:
        return
    needed = set[str]()
    # Closed here, and not whenever a cancelled one is collected: its git ends before this does.
    async with aclosing(_small_files(path)) as batches:
        async for ids in batches:
            contents = await gitcommand.run(path, "cat-file", "--batch", given=b"".join(ids))
            needed |= _oids(contents)
    await asyncio.to_thread(store.remove, path, set(old) - needed, AGE_S)


async def _small_files(path: Path) -> AsyncGenerator[list[bytes]]:
    """All that could be pointers, whatever their commits' attributes say."""
    form = "--batch-check=%(objecttype) %(objectsize) %(objectname)"
    ids: list[bytes] = []
    listed = gitcommand.lines(path, "cat-file", "--batch-all-objects", form)
    async with aclosing(listed) as lines:
        async for line in lines:
            type, size, id = line.split()
            if type == b"blob" and int(size) <= pointers.POINTER_BYTES_MAX:
                ids.append(id + b"\n")
            if len(ids) >= _AT_ONCE:
                yield ids
                ids = []
    if ids:
        yield ids


def _oids(contents: bytes) -> set[str]:
    """`<id> blob <size>`, a line's end, the content, a line's end, and so on."""
    found, position = set(), 0
    while position < len(contents):
        end = contents.index(b"\n", position)
        size = int(contents[position:end].rpartition(b" ")[2])
        pointer = pointers.parse(contents[end + 1 : end + 1 + size])
        if pointer is not None:
            found.add(pointer.oid)
        position = end + 1 + size + 1
    return found
