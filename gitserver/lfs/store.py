"""Where the contents of large files are: in `lfs/objects` of the repository, by their SHA-256.

What lies there was checked when it came and never changes; it is removed with the repository.
"""

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from gitserver.lfs.pointers import Pointer

_FOLDER = Path("lfs/objects")


def place_of(repository: Path, oid: str) -> Path:
    return repository / _FOLDER / oid[:2] / oid[2:4] / oid


def has(repository: Path, pointer: Pointer) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return place_of(repository, pointer.oid).stat().st_size == pointer.size_bytes
    return False


def promise(repository: Path, pointer: Pointer) -> bool:
    """Whether it is there; then it is as new again: a client that hears so won't send it."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(place_of(repository, pointer.oid))
    return has(repository, pointer)


def put(received: Path, repository: Path, oid: str) -> None:
    """Moves a file whose content was checked; it is on the disk before it counts.

    Raises FileNotFoundError when the repository is gone.
    """
    place = place_of(repository, oid)
    # Not the repository itself: it may have been deleted meanwhile.
    for folder in reversed(place.relative_to(repository).parents[:-1]):
        (repository / folder).mkdir(exist_ok=True)
    received.chmod(0o444)
    received.rename(place)
    descriptor = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def total_bytes(repository: Path) -> int:
    return sum(size for _, size, _ in _all(repository))


def older_than(repository: Path, age_s: float) -> list[str]:
    """The ids of what lies there for so long."""
    before_s = time.time() - age_s
    return [path.name for path, _, changed_s in _all(repository) if changed_s < before_s]


def remove(repository: Path, oids: Collection[str], age_s: float) -> None:
    """Those of them that still are as old."""
    for oid in set(older_than(repository, age_s)).intersection(oids):
        path = place_of(repository, oid)
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            # Another file may lie there, or come at this moment.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _all(repository: Path) -> Iterator[tuple[Path, int, float]]:
    """Path, size in bytes, time of change."""
    for folder, _, names in os.walk(repository / _FOLDER):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                yield path, found.st_size, found.st_mtime
