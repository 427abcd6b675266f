"""Objects on their way into a repository: each pack is checked by a child process, then placed.

A push brings a pack of its own; an archive is made one first, by another child, and so are the
files of submodules.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gitserver import remote
from gitserver.interface import Graft, Limits, NewCommit, Stored
from gitserver.jobs import Jobs

_AUTHOR = "SmartPlatform <smartplatform@localhost>"
_SIZES = ("object_bytes", "structure_bytes", "inflated_bytes", "objects")


async def check(
    jobs: Jobs,
    limits: Limits,
    repository: Path,
    pack: Path,
    tips: Sequence[tuple[str, bool]],
    shallow: Sequence[str] = (),
) -> None:
    """The pack is in the repository afterwards. `tips` are ids, and whether each is a branch's.

    Raises JobFailed, JobDied.
    """
    request = {
        "job": "check",
        "repository": str(repository),
        "pack": str(pack),
        "tips": [{"id": id, "branch": branch} for id, branch in tips],
        "shallow": list(shallow),
        "shallow_max": limits.shallow,
        "size_limits": {name: getattr(limits, name) for name in _SIZES},
        "tree_entries": limits.tree_entries,
        **_bounds(limits),
    }
    async with jobs.job(request) as job:
        await job.wait()


async def store_archive(
    jobs: Jobs, limits: Limits, folder: Path, repository: Path, archive: Path, commit: NewCommit
) -> Stored:
    """`folder` is where packs are received. Raises JobFailed, JobDied."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="archive-") as place:
        pack = Path(place) / "made.pack"
        names = ("object_bytes", "inflated_bytes", "tree_entries", "pack_bytes")
        request = {
            "job": "archive",
            "repository": str(repository),
            "archive": str(archive),
            "pack": str(pack),
            **vars(commit),
            "limits": {name: getattr(limits, name) for name in names},
            **_bounds(limits),
        }
        async with jobs.job(request) as job:
            made = await job.wait()
        await check(jobs, limits, repository, pack, [(made["commit"], True)])
    return Stored(**made | {"left_out": tuple(made["left_out"])})


async def store_fetched(
    jobs: Jobs, limits: Limits, folder: Path, repository: Path, answer: Path, commit: str
) -> None:
    """`folder` is where packs are received. Raises RemoteFault, JobFailed, JobDied."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetched-") as place:
        pack = Path(place) / "received.pack"
        shallow = await asyncio.to_thread(_unpack, answer, pack)
        await check(jobs, limits, repository, pack, [(commit, True)], shallow)


async def graft(
    jobs: Jobs, limits: Limits, folder: Path, repository: Path, commit: str, grafts: Sequence[Graft]
) -> str:
    """`folder` is where packs are received. Raises JobFailed, JobDied."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="grafted-") as place:
        pack = Path(place) / "made.pack"
        request = {
            "job": "graft",
            "repository": str(repository),
            "commit": commit,
            "author": _AUTHOR,
            "message": "\n".join(["With its submodules", "", *map(grafting_line, grafts)]),
            "grafts": [{**vars(each), "repository": str(each.repository)} for each in grafts],
            "pack": str(pack),
            "limits": {name: getattr(limits, name) for name in ("objects", "pack_bytes")},
            **_bounds(limits),
        }
        async with jobs.job(request) as job:
            made: str = (await job.wait())["commit"]
        await check(jobs, limits, repository, pack, [(made, True)])
    return made


def grafting_line(graft: Graft) -> str:
    """By which the commit that comes of it tells what stands where."""
    return f"Submodule: {graft.origin} {graft.path}"


def _unpack(answer: Path, pack: Path) -> tuple[str, ...]:
    with answer.open("rb") as source, pack.open("wb") as target:
        return remote.unpack(source, target)


def _bounds(limits: Limits) -> dict[str, Any]:
    return {
        "memory_bytes": limits.check_memory_bytes,
        "cpu_s": limits.check_cpu_s,
        "wall_s": limits.check_s,
    }
