"""Which files of a commit are pointers whose content is to take their place, as in git's checkout.

`.gitattributes` says so (`filter=lfs`), and git itself reads it: its patterns, macros and quoting
are its own, and in a process of its own it can be ended.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitserver import gitcommand, trees
from gitserver.faults import Fault
from gitserver.lfs import pointers
from gitserver.lfs.pointers import Pointer

_ATTRIBUTES = b".gitattributes"
_ATTRIBUTES_BYTES_MAX = 1024 * 1024
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LargeFile:
    """`path` is relative to the commit's root."""

    path: bytes
    pointer: Pointer


def is_attributes(path: bytes) -> bool:
    """Whether a change of this file can change which others are large."""
    return path.rpartition(b"/")[2] == _ATTRIBUTES


def large_files(path: Path, entries: Sequence[trees.Entry]) -> list[LargeFile]:
    """Those of a commit's entries that are. Blocks.

    Raises Fault when git does not come to an end with the attributes.
    """
    files = [entry for entry in entries if entry.is_file]
    attributes = [entry for entry in files if is_attributes(entry.path)]
    contents = trees.small_files(path, attributes, _ATTRIBUTES_BYTES_MAX)
    if not any(b"filter" in content for _, content in contents):
        return []
    named = set(_filtered(path, attributes, [entry.path for entry in files]))
    candidates = [entry for entry in files if entry.path in named]
    return [
        LargeFile(entry.path, pointer)
        for entry, content in trees.small_files(path, candidates, pointers.POINTER_BYTES_MAX)
        if (pointer := pointers.parse(content)) is not None
    ]


def _filtered(path: Path, attributes: Sequence[trees.Entry], paths: Sequence[bytes]) -> list[bytes]:
    """Those of the paths that LFS's filter is for."""
    listed = b"".join(b"100644 %s\t%s\0" % (e.id.encode(), e.path) for e in attributes)
    with tempfile.TemporaryDirectory(prefix="gitserver-lfs-") as folder:
        index = Path(folder) / "index"
        _git(path, index, listed, "update-index", "-z", "--index-info")
        asked = b"".join(name + b"\0" for name in paths)
        said = _git(path, index, asked, "check-attr", "--cached", "-z", "--stdin", "filter")
    words = said.split(b"\0")
    return [name for name, value in zip(words[::3], words[2::3], strict=False) if value == b"lfs"]


def _git(path: Path, index: Path, given: bytes, *words: str) -> bytes:
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            ["git", "--git-dir", str(path), *words],
            input=given,
            env=gitcommand.environment() | {"GIT_INDEX_FILE": str(index)},
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(f"git {words[0]}: {done.stderr.decode('utf-8', 'replace')[:1000]}")
        return done.stdout
    raise Fault(f"git took over {_TIMEOUT_S:.0f} s to read the patterns in .gitattributes")
