"""Brings a commit's files into the build zone, so that the tree there equals the commit.

Everything goes through one command's standard input: what to delete, npm's configuration, then a
tar stream. No host process opens a path in the tree, and no name stands in a command line.
"""

import posixpath
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from buildpacks.plan import Plan
from gitserver import trees
from gitserver.lfs import commits
from paas.builder import slugignore

NPMRC = "/tmp/npmrc"
"""On the zone's own tmpfs: it is in no image."""

_LENGTH = struct.Struct("!I")

# Three lists of known length, then the tar: `head -c` takes no byte more than it is told.
_APPLY = """
set -e
head -c "$1" | xargs -0 -r rm -rf --
head -c "$2" | xargs -0 -r rmdir -p --ignore-fail-on-non-empty -- 2>/dev/null || true
umask 077
head -c "$3" > "$4"
umask 022
exec tar -x -f - --no-same-owner --recursive-unlink
"""
_CLEAN = """
set -e
find . -mindepth 1 "$@" -o ! -type d -print0 | xargs -0 -r rm -f --
find . -mindepth 1 "$@" -o -type d -empty -printf '%P\\0' |
  xargs -0 -r rmdir -p --ignore-fail-on-non-empty --
"""


@dataclass(frozen=True)
class Checkout:
    """What turns the zone's tree into the commit's."""

    repository: Path
    files: tuple[trees.Entry, ...]
    deleted: tuple[bytes, ...]
    npmrc: bytes = b""
    large: Mapping[bytes, Path] = field(default_factory=dict)
    """Paths whose contents are in files of the host, in the place of pointers (Git LFS)."""

    @property
    def parents(self) -> tuple[bytes, ...]:
        """Folders that may be empty after the deletions; git knows no empty folders."""
        folders = {path.rpartition(b"/")[0] for path in self.deleted if b"/" in path}
        return tuple(sorted(folders, reverse=True))

    def command(self) -> tuple[str, ...]:
        lengths = (len(_list(self.deleted)), len(_list(self.parents)), len(self.npmrc))
        return ("sh", "-c", _APPLY, "sh", *(str(length) for length in lengths), NPMRC)

    def write_to(self, stream: BinaryIO) -> None:
        """The command's input. Blocks; for a thread."""
        stream.write(_list(self.deleted) + _list(self.parents) + self.npmrc)
        self._write_tar(stream)

    def write_differences(self, stream: BinaryIO) -> None:
        """What the node's `derive_image` reads (docs/contracts/node.md). Blocks; for a thread."""
        deleted = _list(self.deleted)
        stream.write(_LENGTH.pack(len(deleted)) + deleted)
        self._write_tar(stream)

    def _write_tar(self, stream: BinaryIO) -> None:
        modified_s = int(time.time())
        trees.write_tar(
            self.repository, self.files, stream, modified_s=modified_s, elsewhere=self.large
        )


def prepare(
    repository: Path,
    commit: str,
    since: str | None,
    *,
    whole: bool,
    npmrc: bytes,
    modules: bytes | None,
    large: Mapping[bytes, Path],
    hides: Callable[[bytes], bool] = slugignore.NOTHING.hides,
) -> Checkout:
    """Blocks. `since` is the commit that the zone's tree was made of, None for an empty one.

    `whole` brings every file: other hands may have changed the tree. The folder `modules` is left
    to the package manager, and what `hides` is left out.
    """

    def ours(path: bytes) -> bool:
        return not ((modules and path.startswith(modules)) or hides(path))

    changes = trees.changes(repository, since, commit)
    # Which files are pointers may have changed, and so what stands in the place of others.
    named = [*changes.deleted, *(entry.path for entry in changes.changed)]
    whole = whole or any(map(commits.is_attributes, named))
    changed = trees.changes(repository, None, commit).changed if whole else changes.changed
    return Checkout(
        repository,
        tuple(entry for entry in changed if ours(entry.path)),
        tuple(path for path in changes.deleted if ours(path)),
        npmrc,
        large,
    )


def modules(plan: Plan) -> bytes | None:
    """The folder of dependencies, whose files in git do not count; None where it is git's own."""
    if not plan.has_dependencies:
        return None
    return posixpath.join(plan.installs_in, "node_modules/").encode()


def cleaning(
    caches: Iterable[str], installed: Iterable[str] = (), *, keep_modules: bool = True
) -> tuple[str, ...]:
    """The command that empties the tree but for the caches and, if kept, every `node_modules` and
    what else is `installed`.

    It is needed before a commit's files when others have been at work in the tree.
    """
    kept = ["-false", *(["-o", "-name", "node_modules"] if keep_modules else [])]
    for path in (*caches, *(installed if keep_modules else ())):
        kept += ["-o", "-path", f"./{path}"]
    return ("sh", "-c", _CLEAN, "sh", "(", *kept, ")", "-prune")


def _list(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)
