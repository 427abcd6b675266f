"""The commits where a repository's history begins although they have parents: its `shallow` file.

Pushes from shallow clones bring them (gitrepository-layout(5)). A commit stands there before it is
in the repository and as long as a parent of it is not: every other one has all that it needs.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dulwich.objects import ObjectID

_FILE = "shallow"
_LOCK = "gitserver.shallow.lock"


def read(repository: Path) -> frozenset[ObjectID]:
    try:
        lines = (repository / _FILE).read_bytes().split()
    except FileNotFoundError:
        return frozenset()
    return frozenset(map(ObjectID, lines))


def add(repository: Path, ids: Iterable[ObjectID]) -> None:
    with _locked(repository):
        now = read(repository)
        _write(repository, now.union(ids), now)


def remove(repository: Path, ids: Iterable[ObjectID]) -> None:
    with _locked(repository):
        now = read(repository)
        _write(repository, now.difference(ids), now)


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    """Pushes to one repository are checked side by side; the kernel ends the lock with its holder.

    git's own `shallow.lock` is taken by garbage collection, which gives way to pushes.
    """
    with (repository / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(repository: Path, ids: frozenset[ObjectID], before: frozenset[ObjectID]) -> None:
    if ids == before:
        return
    path = repository / _FILE
    if not ids:
        path.unlink(missing_ok=True)
        return
    new = path.with_name(f"gitserver.{_FILE}.new")
    with new.open("wb") as file:
        file.write(b"".join(id + b"\n" for id in sorted(ids)))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
