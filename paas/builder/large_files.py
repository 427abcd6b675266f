"""The files that a commit only points at (Git LFS): their contents have to be here for a build."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

from buildpacks.findings import Failure
from gitserver import trees
from gitserver.faults import Fault
from gitserver.lfs import commits, store
from gitserver.lfs.commits import LargeFile
from gitserver.trees import Entry
from paas.builder.work import BuildFailed

TOTAL_GIB_MAX = 4
"""A small commit can name a large file as often as it likes."""
_GIB = 1024**3
_NAMED_MAX = 5
_SEND = """Send them, then push again:
    git lfs push --all paas
If this clone has none of them either (in CI: a checkout without LFS), fetch them first:
    git lfs fetch --all origin"""


def find(repository: Path, entries: Sequence[Entry], pushed: str) -> Mapping[bytes, Path]:
    """Path in the commit, whose entries these are → the file with its content. Blocks.

    `pushed` is the commit as it was before submodules' files stood in it.

    Raises BuildFailed when one is not here, or all are too large for a build.
    """
    try:
        found = commits.large_files(repository, entries)
    except Fault as fault:
        raise BuildFailed(Failure("attributes", f"{fault}.", "Write them simpler.")) from fault
    missing = [file for file in found if not store.has(repository, file.pointer)]
    for file in missing:
        submodule = _submodule_of(repository, pushed, file.path)
        if submodule is not None:
            raise BuildFailed(_of_submodule(submodule, file))
    if missing:
        raise BuildFailed(Failure("large_files_missing", _missing(missing), _SEND))
    total_bytes = sum(file.pointer.size_bytes for file in found)
    if total_bytes > TOTAL_GIB_MAX * _GIB:
        raise BuildFailed(_too_large(total_bytes))
    return {file.path: store.place_of(repository, file.pointer.oid) for file in found}


def _too_large(total_bytes: int) -> Failure:
    return Failure(
        "large_files_too_large",
        f"The files that Git LFS keeps have {total_bytes / _GIB:.1f} GiB together in this commit, "
        f"and a build takes {TOTAL_GIB_MAX}",
        "Keep what is so large in an object store elsewhere, from which the app reads it.",
    )


def _submodule_of(repository: Path, pushed: str, path: bytes) -> bytes | None:
    """The submodule's path, where the file is of one."""
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        found = trees.entry(repository, pushed, b"/".join(parts[:count]))
        if found is None or found.is_submodule:
            return found.path if found else None
    return None


def _of_submodule(submodule: bytes, file: LargeFile) -> Failure:
    shown, place = file.path.decode("utf-8", "replace"), quote(submodule.decode("utf-8", "replace"))
    return Failure(
        "large_files_missing",
        f"Git LFS keeps {shown}, of a submodule: such files are not fetched",
        "Have the files in the app's own repository, where a push brings them:\n"
        f"    git -C {place} lfs pull\n"
        f"    git rm --cached {place} && rm -rf {place}/.git && git add {place} .gitmodules && "
        "git commit -m 'With its files'",
    )


def _missing(files: Sequence[LargeFile]) -> str:
    names = ", ".join(file.path.decode("utf-8", "replace") for file in files[:_NAMED_MAX])
    more = f" and {len(files) - _NAMED_MAX} more" if len(files) > _NAMED_MAX else ""
    return f"The contents of files that Git LFS keeps were not pushed: {names}{more}"
