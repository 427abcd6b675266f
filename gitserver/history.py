"""Which commits one commit has and another has not: `git rev-list --left-right old...new`.

Blocks; what a tenant wrote is only read, and a history that is cut off (shallow) ends there.
"""

import heapq
import re
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import ObjectID
from dulwich.repo import Repo

from gitserver.objects import structures
from gitserver.objects.packfile import COMMIT

COMMITS_MAX = 50_000
"""So many are looked at: a comparison is no way to keep a server busy."""
_NEW, _OLD = 1, 2
_BOTH = _NEW | _OLD
_AUTHOR = re.compile(rb"^author ([^\n<]*) ?<[^\n>]*> (\d{1,12})", re.MULTILINE)
_COMMITTED = re.compile(rb"^committer [^\n]*> (\d{1,12})", re.MULTILINE)


@dataclass(frozen=True)
class Commit:
    """`subject` is the first line of its message; `time_s` is its author's."""

    id: str
    author: str
    time_s: int
    subject: str


@dataclass(frozen=True)
class Comparison:
    """`ahead`, newest first, are the commits of `new` that `old` has not; `behind` counts the
    reverse."""

    ahead: tuple[Commit, ...]
    behind: int


@dataclass
class _Seen:
    content: bytes
    flags: int = 0
    done: int = 0
    """The flags that its parents have got."""


def compare(path: Path, new: str, old: str) -> Comparison | None:
    """None where the repository lacks one of them, or they are too far apart."""
    with Repo(str(path), bare=True) as repository:
        seen: dict[bytes, _Seen] = {}
        queue: list[tuple[int, bytes]] = []
        for tip, flag in ((new, _NEW), (old, _OLD)):
            if not _paint(repository, seen, queue, tip.encode(), flag):
                return None
        while queue:
            _, id = heapq.heappop(queue)
            commit = seen[id]
            if commit.done == commit.flags:
                continue
            commit.done = commit.flags
            for parent in _parents(commit.content):
                _paint(repository, seen, queue, parent, commit.flags)
            if len(seen) > COMMITS_MAX:
                return None
    found = [(id, commit) for id, commit in seen.items() if commit.flags == _NEW]
    found.sort(key=lambda item: -_time_s(item[1].content))
    behind = sum(commit.flags == _OLD for commit in seen.values())
    return Comparison(tuple(_shown(id, commit.content) for id, commit in found), behind)


def _paint(
    repository: Repo,
    seen: dict[bytes, _Seen],
    queue: list[tuple[int, bytes]],
    id: bytes,
    flags: int,
) -> bool:
    """Whether the commit is there. It is looked at (again) where a flag is new to it."""
    commit = seen.get(id)
    if commit is None:
        try:
            type, content = repository.object_store.get_raw(ObjectID(id))
        except (KeyError, ValueError):
            return False
        if type != COMMIT:
            return False
        commit = seen[id] = _Seen(content)
    if commit.flags | flags != commit.flags:
        commit.flags |= flags
        heapq.heappush(queue, (-_time_s(commit.content), id))
    return True


def _parents(content: bytes) -> list[bytes]:
    head = content.partition(b"\n\n")[0]
    return re.findall(rb"^parent ([0-9a-f]{40})$", head, re.MULTILINE)


def _time_s(content: bytes) -> int:
    found = _COMMITTED.search(content.partition(b"\n\n")[0])
    return int(found[1]) if found else 0


def _shown(id: bytes, content: bytes) -> Commit:
    found = _AUTHOR.search(content.partition(b"\n\n")[0])
    author = found[1].strip().decode("utf-8", "replace") if found else ""
    lines = structures.commit_message(content).decode("utf-8", "replace").strip().splitlines()
    return Commit(id.decode(), author, int(found[2]) if found else 0, lines[0] if lines else "")
