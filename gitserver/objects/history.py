"""Walks a repository's history for a fetch: what client and server share, and what must be sent.

A shallow client has commits without their parents, and so may this repository: everything here
takes that into account.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import S_ISGITLINK, ObjectID, Tree
from dulwich.repo import Repo

from gitserver.objects import shallow
from gitserver.objects.packfile import COMMIT, TAG
from gitserver.objects.structures import commit_links, tagged

Parents = Callable[[ObjectID], list[ObjectID]]
Ids = dict[ObjectID, None]
"""In an order."""


@dataclass(frozen=True)
class Boundary:
    """Where the client's history will end; `lines` say how that differs from now.

    It will go on behind the commits of `deepened`, where it ends now.
    """

    shallow: frozenset[ObjectID]
    lines: tuple[bytes, ...]
    deepened: frozenset[ObjectID] = frozenset()


class History:
    """`client_shallow`: the commits whose parents the client lacks; `haves`: what it has.

    Whoever asks about refs reads these first: a push may end at any moment.
    """

    def __init__(
        self, repository: Repo, client_shallow: Iterable[ObjectID], haves: Iterable[ObjectID]
    ) -> None:
        self._store = repository.object_store
        self._client_shallow = frozenset(client_shallow)
        self.common = [have for have in haves if have in self._store]
        """Those of the client's objects that are here too, in its order."""
        # After the objects: a commit without its parents stands there before it is here.
        self.begins = shallow.read(Path(repository.controldir()))
        """The commits where this repository's own history is cut off."""
        self._commits_read: dict[ObjectID, tuple[ObjectID, list[ObjectID]]] = {}

    def reach(self, wants: Iterable[ObjectID]) -> bool:
        """Whether every want has something common among its ancestors: enough was said."""
        goal = set(self._commits(self.common))
        return bool(goal) and all(self._meets(want, goal) for want in self._commits(wants))

    def contain(self, tips: Iterable[ObjectID], ids: Iterable[ObjectID]) -> bool:
        """Whether all ids are commits (or tags) that the tips reach."""
        here = [id for id in ids if id in self._store]
        reached = self._closure(self._commits(tips), self.parents)
        return len(here) == len(list(ids)) and reached.issuperset(self._commits(here))

    def boundary(self, wants: Iterable[ObjectID]) -> Boundary:
        """The client's own, but for where the history begins here."""
        tips = self._commits(wants)
        reached = self._closure(tips, lambda id: self._cut(id, self._client_shallow))
        new = reached & self.begins - self._client_shallow
        lines = tuple(b"shallow " + id for id in sorted(new))
        return Boundary(self._client_shallow | new, lines)

    def deepened(self, wants: Iterable[ObjectID], more: int) -> Boundary:
        """So many commits beyond the client's own boundary, where the wants reach that."""
        reached = self._closure(self._commits(wants), self.parents)
        return self.at_depth(reached & self._client_shallow, more + 1)

    def at_depth(self, tips: Iterable[ObjectID], depth: int) -> Boundary:
        """The boundary at `depth` commits from the tips, or where the history begins here."""
        inside, level = set[ObjectID](), set(self._commits(tips))
        for _ in range(depth - 1):
            inside |= level
            level = {parent for id in level for parent in self.parents(id)} - inside
            if not level:
                break
        ends = {id for id in level if self.parents(id)} | (inside | level) & self.begins
        deepened = frozenset(self._client_shallow & inside - ends)
        lines = tuple(b"shallow " + id for id in sorted(ends - self._client_shallow))
        lines += tuple(b"unshallow " + id for id in sorted(deepened))
        return Boundary(frozenset(self._client_shallow - deepened | ends), lines, deepened)

    def missing(
        self,
        wants: Iterable[ObjectID],
        boundary: Boundary,
        tags: Mapping[ObjectID, list[ObjectID]],
    ) -> list[ObjectID]:
        """The objects to send, commits first; `tags`: commit → the tag objects to go with it."""
        there = self._closure(
            self._commits(self.common), lambda id: self._cut(id, self._client_shallow)
        )
        # A commit of `deepened` may be none that the wants reach, with the boundary between.
        tips = self._commits(wants) + [p for id in boundary.deepened for p in self.parents(id)]
        wanted = self._closure(tips, lambda id: self._cut(id, boundary.shallow))
        commits = [id for id in wanted if id not in there]
        sent: Ids = dict.fromkeys(commits)
        for tag in self._tag_objects(wants, commits, tags):
            sent[tag] = None
        known_trees = self._trees_of(self._edge(commits, there))
        for root in self._roots(wants, commits):
            self._collect(root, known_trees, sent)
        return list(sent)

    def parents(self, id: ObjectID) -> list[ObjectID]:
        return self._commit(id)[1]

    def _cut(self, id: ObjectID, shallow: frozenset[ObjectID]) -> list[ObjectID]:
        return [] if id in shallow else self.parents(id)

    def _meets(self, start: ObjectID, goal: set[ObjectID]) -> bool:
        seen = {start}
        todo = deque(seen)
        while todo:
            id = todo.popleft()
            if id in goal:
                return True
            for parent in self.parents(id):
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return False

    def _closure(self, tips: Iterable[ObjectID], parents: Parents) -> set[ObjectID]:
        seen = set(tips)
        todo = list(seen)
        while todo:
            for parent in parents(todo.pop()):
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return seen

    def _commits(self, ids: Iterable[ObjectID]) -> list[ObjectID]:
        """The commits that the ids are, or that tags of theirs point at."""
        peeled = (self._peel(id)[-1] for id in ids)
        return [id for id in peeled if self._type(id) == COMMIT]

    def _peel(self, id: ObjectID) -> list[ObjectID]:
        """A tag's chain to what it points at in the end."""
        chain = [id]
        while True:
            type, content = self._store.get_raw(chain[-1])
            if type != TAG:
                return chain
            chain.append(_hex(tagged(bytes.fromhex(chain[-1].decode()), content).id))

    def _tag_objects(
        self,
        wants: Iterable[ObjectID],
        commits: Iterable[ObjectID],
        tags: Mapping[ObjectID, list[ObjectID]],
    ) -> list[ObjectID]:
        wanted = [tag for want in wants for tag in self._peel(want)[:-1]]
        return wanted + [tag for commit in commits for tag in tags.get(commit, [])]

    def _edge(self, commits: Iterable[ObjectID], there: set[ObjectID]) -> set[ObjectID]:
        """The client's commits next to those sent: their trees are what need not be sent."""
        return {parent for id in commits for parent in self.parents(id) if parent in there}

    def _roots(self, wants: Iterable[ObjectID], commits: Iterable[ObjectID]) -> list[ObjectID]:
        """The trees of the commits, and wanted trees and blobs (a tag may point at one)."""
        ends = [self._peel(want)[-1] for want in wants]
        others = [id for id in ends if self._type(id) != COMMIT]
        return [self._tree(id) for id in commits] + others

    def _tree(self, commit: ObjectID) -> ObjectID:
        return self._commit(commit)[0]

    def _commit(self, id: ObjectID) -> tuple[ObjectID, list[ObjectID]]:
        """Its tree and the parents that are here; what else it has (dates) may be malformed."""
        if id not in self._commits_read:
            type, content = self._store.get_raw(id)
            assert type == COMMIT
            tree, parents = commit_links(bytes.fromhex(id.decode()), content)
            there = [] if id in self.begins else parents
            self._commits_read[id] = _hex(tree), [_hex(parent) for parent in there]
        return self._commits_read[id]

    def _type(self, id: ObjectID) -> int:
        return int(self._store.get_raw(id)[0])

    def _trees_of(self, commits: Iterable[ObjectID]) -> Ids:
        known: Ids = {}
        for commit in commits:
            self._collect(self._tree(commit), {}, known)
        return known

    def _collect(self, root: ObjectID, known: Ids, into: Ids) -> None:
        """Adds the root and all below it, except what is known."""
        todo = [(root, True)]
        while todo:
            id, folder = todo.pop()
            if id in known or id in into:
                continue
            found = self._store[id] if folder else None
            into[id] = None
            if isinstance(found, Tree):
                for entry in found.items():
                    if not S_ISGITLINK(entry.mode):
                        todo.append((entry.sha, entry.mode & 0o170000 == 0o040000))


def _hex(id: bytes) -> ObjectID:
    return ObjectID(id.hex().encode())
