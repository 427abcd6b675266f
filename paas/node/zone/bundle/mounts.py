"""A machine's mounts in its run folder: the writable root, and the stack's and the runtimes' parts.

    <run>/machines/<uuid>/tree/{root,usr,node,bun,deno}

All show files as owned by the zone's own ids. All but the first lie beside the root, not in it:
nothing on the host ever follows a path inside a tree that a tenant can write. Into `tree` goes
nobody but root and the zone's own root (0710), so that no user of the host walks a tenant's files.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paas.node import words
from paas.node.zone.bundle import idmap

_TREE = "tree"
_FILESYSTEM = "fs-"
_NAMES = ("root", "usr", *words.RUNTIMES, "nodejs")
"""The last is what an earlier version called that of Node.js."""


@dataclass(frozen=True)
class Sources:
    """Folders of the pool. A zone without stack (its image is a whole userland) has only a root.

    `runtimes` are by the names of `words.RUNTIMES`.
    """

    root: Path
    stack: Path | None
    runtimes: Mapping[str, Path]
    filesystems: Mapping[str, tuple[Path, int]] = field(default_factory=dict)
    """Further folders of the host by their place in the tree, with their mounts' attributes."""


def place(folder: Path, name: str) -> Path:
    """Where a machine with this run folder has its `root`, its `usr`, or a runtime."""
    return folder / _TREE / name


def mount(folder: Path, sources: Sources, first_id: int) -> None:
    """Mount what is not mounted yet. Blocks for some milliseconds; raises OSError."""
    tree = folder / _TREE
    tree.mkdir(mode=0o700, exist_ok=True)
    os.chown(tree, 0, first_id)
    tree.chmod(0o710)
    wanted = {
        "root": (sources.root, idmap.MOUNT_ATTR_NODEV),
        "usr": (sources.stack, _READ_ONLY),
        **{name: (folder, _READ_ONLY) for name, folder in sources.runtimes.items()},
        **sources.filesystems,
    }
    for name in _filesystems(tree) - set(wanted):
        _remove(tree / name)
    missing = {
        name: (source, attributes)
        for name, (source, attributes) in wanted.items()
        if source is not None and not idmap.is_mounted(place(folder, name))
    }
    if missing:
        with idmap.user_namespace(first_id) as namespace:
            for name, (source, attributes) in missing.items():
                idmap.mount_mapped(source, place(folder, name), namespace, attributes=attributes)


def unmount(folder: Path) -> None:
    """Take all mounts away. Repeatable."""
    for tree in (folder / _TREE, folder):  # The latter is where an earlier version had them.
        for name in (*_NAMES, *_filesystems(tree)):
            _remove(tree / name)
    if (folder / _TREE).is_dir():
        (folder / _TREE).rmdir()


def filesystem(source: Path, *, read_only: bool) -> tuple[str, tuple[Path, int]]:
    """A further folder's name in the tree, which is another one for every source, and its mount."""
    attributes = _READ_ONLY if read_only else idmap.MOUNT_ATTR_NOSUID | idmap.MOUNT_ATTR_NODEV
    digest = hashlib.sha256(f"{read_only} {source}".encode()).hexdigest()
    return f"{_FILESYSTEM}{digest[:16]}", (source, attributes)


def _filesystems(tree: Path) -> set[str]:
    if not tree.is_dir():
        return set()
    return {entry.name for entry in tree.iterdir() if entry.name.startswith(_FILESYSTEM)}


def _remove(place: Path) -> None:
    idmap.unmount(place)
    if place.is_dir():
        place.rmdir()


_READ_ONLY = idmap.MOUNT_ATTR_RDONLY | idmap.MOUNT_ATTR_NOSUID | idmap.MOUNT_ATTR_NODEV
