"""Where a pool's datasets and snapshots stand in its folder, for drivers that keep them as folders.

    <root>/<name>                        the dataset
    <root>/.snapshots/<name>/<snapshot>  its snapshots
    <root>/.renames/<old>                a link that names <new>: a rename that is under way

A rename moves two entries, so it is recorded first and can be finished by anyone later.
"""

import os
from collections.abc import Callable
from pathlib import Path

from paas.node.pools.interface import (
    PARTIAL,
    DatasetNotFound,
    PoolError,
    check_name,
    check_snapshot,
)

_RENAMES = ".renames"
_SNAPSHOTS = ".snapshots"


def prepare(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    for name in (_RENAMES, _SNAPSHOTS):
        (root / name).mkdir(mode=0o700, exist_ok=True)


def dataset(root: Path, name: str) -> Path:
    return root / check_name(name)


def snapshot_folder(root: Path, name: str) -> Path:
    return root / _SNAPSHOTS / check_name(name)


def snapshot(root: Path, name: str, snapshot_name: str) -> Path:
    return snapshot_folder(root, name) / check_snapshot(snapshot_name)


def existing(root: Path, name: str) -> Path:
    path = dataset(root, name)
    if not path.is_dir():
        raise DatasetNotFound(f"there is no dataset zones/{name}")
    return path


def existing_snapshot(root: Path, name: str, snapshot_name: str) -> Path:
    path = snapshot(root, name, snapshot_name)
    if not path.is_dir():
        raise DatasetNotFound(f"there is no snapshot zones/{name}@{snapshot_name}")
    return path


def names(root: Path) -> list[str]:
    """Whole datasets."""
    with os.scandir(root) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and not entry.name.endswith(PARTIAL)
            and entry.is_dir(follow_symlinks=False)
        )


def partial_names(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.name.endswith(PARTIAL))


def snapshot_names(root: Path, name: str) -> list[str]:
    folder = snapshot_folder(root, name)
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def orphan_names(root: Path) -> list[str]:
    """Datasets that are gone but for their snapshots."""
    return sorted(
        entry.name for entry in (root / _SNAPSHOTS).iterdir() if not (root / entry.name).is_dir()
    )


def begin_receiving(root: Path, name: str) -> Path:
    """An empty folder for the snapshot of a stream that becomes `name`. Raises PoolError."""
    if dataset(root, name).is_dir():
        raise PoolError(f"zones/{name} exists already: receive under another name")
    folder = snapshot_folder(root, name + PARTIAL)
    folder.mkdir(mode=0o700)
    return folder


def received(root: Path, name: str) -> str:
    """The one snapshot that a stream brought. Raises PoolError for any other stream."""
    found = snapshot_names(root, name + PARTIAL)
    if len(found) != 1:
        raise PoolError(f"the stream holds {len(found)} snapshots; one is wanted")
    return check_snapshot(found[0])


def rename(root: Path, old: str, new: str, destroy: Callable[[str], None]) -> None:
    """`destroy` clears what stands at the new name's snapshots without a dataset."""
    if not dataset(root, old).is_dir() and dataset(root, new).is_dir():
        _finish_rename(root, old, new)
        return
    existing(root, old)
    if dataset(root, new).is_dir():
        raise DatasetNotFound(f"zones/{old} can't become zones/{new}: that exists already")
    destroy(new)
    intent = root / _RENAMES / old
    intent.unlink(missing_ok=True)
    intent.symlink_to(new)
    _finish_rename(root, old, new)


def finish_renames(root: Path) -> list[str]:
    done = []
    for intent in sorted((root / _RENAMES).iterdir()):
        new = check_name(str(intent.readlink()))
        _finish_rename(root, check_name(intent.name), new)
        done.append(f"finished the rename of zones/{intent.name} to zones/{new}")
    return done


def _finish_rename(root: Path, old: str, new: str) -> None:
    for source, target in (
        (dataset(root, old), dataset(root, new)),
        (snapshot_folder(root, old), snapshot_folder(root, new)),
    ):
        if source.is_dir() and not target.is_dir():
            source.rename(target)
    (root / _RENAMES / old).unlink(missing_ok=True)
