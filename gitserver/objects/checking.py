"""The job `check`: a received pack is indexed, checked and placed in the repository.

Runs in a child process (gitserver.jobserver). The repository stays whole at every moment: a pack is
only placed when all that its objects need is in it or in the repository already. Only where a
shallow client's history ends may the parents of a commit be absent, and then that is noted first.
"""

import itertools
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from gitserver.faults import Fault, Missing
from gitserver.objects import shallow
from gitserver.objects.checkouts import Checkouts
from gitserver.objects.deltas import Resolver
from gitserver.objects.packfile import (
    BLOB,
    COMMIT,
    TAG,
    TYPE_NAMES,
    PackEntry,
    ReceivedPack,
    SizeLimits,
)
from gitserver.objects.placing import place
from gitserver.objects.structures import commit_links, references, tag_name

Links = dict[bytes, int]
_NOT_SAID = (
    "\nIf this comes from a shallow clone, what pushes it does not say so, as git itself would:\n"
    "push it with git, or get the whole history first (git fetch --unshallow)\n"
)
_OLDER_IS_NEEDED = (
    "\nThe repository here was pushed from a shallow clone and has no history before that, but git "
    "takes it\nto be whole and left out what is older. To send everything once:\n"
    "    git push -f -o skip paas $(git commit-tree -m Empty $(git mktree </dev/null)):main\n"
    "    git push -f paas HEAD:main\n"
)


def check(
    request: dict[str, Any], payload: bytes, write: Callable[[bytes], None]
) -> dict[str, Any]:
    """`request`: repository, pack, tips, shallow (ids in hex), limits (see `SizeLimits`).

    Answers `{"objects": n}`; the pack file has then been moved into the repository. Raises Fault.
    """
    repository, path = Path(request["repository"]), Path(request["pack"])
    store = DiskObjectStore(str(repository / "objects"))
    contents = _Known(store, map(bytes.fromhex, request["shallow"]))
    pack = ReceivedPack(path, SizeLimits(**request["size_limits"]))
    try:
        entries, external = _index(pack, contents, store)
        pack.close()
        _check_tips(request, contents)
    except Missing as fault:
        advice = _OLDER_IS_NEEDED if shallow.read(repository) else _NOT_SAID
        raise Fault(f"{fault}{advice}") from fault
    if entries:
        _note_beginnings(repository, contents, request["shallow_max"])
        rows = [(entry.id or b"", entry.offset, entry.crc32) for entry in entries]
        place(path, rows, external, Path(store.pack_dir))
        _forget_beginnings(repository, contents)
    return {"objects": len(entries)}


class _Known:
    """What is known of the objects: those of the pack, then those of the repository."""

    def __init__(self, store: DiskObjectStore, cut: Iterable[bytes]) -> None:
        self.store = store
        self.cut = frozenset(cut)
        """Commits whose parents the client lacks."""
        self.parents: dict[bytes, list[bytes]] = {}
        """Of those of them that came."""
        self.types: dict[bytes, int] = {}
        self.structures: dict[bytes, bytes] = {}
        """Commits, trees and tags of the pack, compressed."""
        self.links: Links = {}

    def add(self, id: bytes, type: int, content: bytes | None) -> None:
        self.types[id] = type
        if content is not None:
            self.structures[id] = zlib.compress(content, 1)
            needed = references(type, id, content)
            if type == COMMIT and id in self.cut:
                self.parents[id] = commit_links(id, content)[1]
                needed = itertools.islice(needed, 1)  # the tree alone
            for reference in needed:
                if self.links.setdefault(reference.id, reference.type) != reference.type:
                    raise Fault(f"object {reference.id.hex()} is used as two different types")

    def get(self, id: bytes) -> tuple[int, bytes] | None:
        """Type and content of a commit, tree or tag of the pack, or of anything older."""
        if id in self.structures:
            return self.types[id], zlib.decompress(self.structures[id])
        try:
            return self.store.get_raw(ObjectID(id.hex().encode()))
        except KeyError:
            return None

    def has(self, id: bytes) -> bool:
        return id in self.types or ObjectID(id.hex().encode()) in self.store

    def are_commits(self, ids: Iterable[bytes]) -> bool:
        """Whether they all are here, and are what parents have to be."""
        return all(self._type(id) == COMMIT for id in ids)

    def _type(self, id: bytes) -> int | None:
        if id in self.types:
            return self.types[id]
        found = self.get(id)
        return found[0] if found else None


def _index(
    pack: ReceivedPack, known: _Known, store: DiskObjectStore
) -> tuple[list[PackEntry], dict[bytes, tuple[int, bytes]]]:
    def whole(entry: PackEntry, content: bytes) -> None:
        assert entry.id is not None
        known.add(entry.id, entry.type, content)

    def resolved(entry: PackEntry, type: int, content: bytes) -> None:
        assert entry.id is not None
        known.add(entry.id, type, content)

    entries = []
    for entry in pack.scan(whole):
        entries.append(entry)
        if entry.type == BLOB and entry.id is not None:
            known.add(entry.id, BLOB, None)
    resolver = Resolver(pack, entries, known.get)
    resolver.run(resolved)
    for entry in entries:
        assert entry.id is not None
        if entry.id not in known.types:
            known.add(entry.id, BLOB, None)
    _check_links(known)
    _check_once([entry.id for entry in entries if entry.id], resolver.external)
    return entries, resolver.external


def _check_once(ids: list[bytes], external: Iterable[bytes]) -> None:
    # An object that is there twice could be the base of its own base: readers would never end.
    twice = len(set(ids)) != len(ids)
    if twice or not set(ids).isdisjoint(external):
        raise Fault("the pack has an object twice")


def _check_links(known: _Known) -> None:
    for id, type in known.links.items():
        there = known.types.get(id)
        if there is None:
            if not known.has(id):
                raise Missing(f"the {TYPE_NAMES[type].decode()} {id.hex()} is missing")
        elif there != type:
            raise Fault(
                f"object {id.hex()} is a {TYPE_NAMES[there].decode()}, which its user denies"
            )


def _note_beginnings(repository: Path, known: _Known, shallow_max: int) -> None:
    """Before their commits are here, so that nobody ever looks for parents that are not."""
    new = [id for id, parents in known.parents.items() if not known.are_commits(parents)]
    if len(new) + len(shallow.read(repository)) > shallow_max:
        raise Fault(
            f"the history would be cut off at over {shallow_max} commits: push it whole "
            "(git fetch --unshallow)"
        )
    if new:
        shallow.add(repository, map(_hex, new))


def _forget_beginnings(repository: Path, known: _Known) -> None:
    """What came may be the history that was missing."""
    found = [bytes.fromhex(id.decode()) for id in shallow.read(repository)]
    whole = [id for id in found if known.has(id) and known.are_commits(_parents(known, id))]
    if whole:
        shallow.remove(repository, map(_hex, whole))


def _parents(known: _Known, id: bytes) -> list[bytes]:
    found = known.get(id)
    assert found is not None
    return commit_links(id, found[1])[1]


def _hex(id: bytes) -> ObjectID:
    return ObjectID(id.hex().encode())


def _no_commit(id: str, type: int, content: bytes) -> str:
    if type != TAG:
        return f"{id} is a {TYPE_NAMES[type].decode()}: branches need commits"
    name = tag_name(content) or "TAG"
    return (
        f"{name} is an annotated tag, and branches need commits. Push the commit that it points "
        f"at: git push paas '{name}^{{}}:refs/heads/main'"
    )


def _check_tips(request: dict[str, Any], known: _Known) -> None:
    checkouts = Checkouts(known.get, request["tree_entries"])
    for tip in request["tips"]:
        id = bytes.fromhex(tip["id"])
        is_blob = known.types.get(id) == BLOB
        found = (BLOB, b"") if is_blob else known.get(id)
        if found is None:
            raise Missing(f"object {tip['id']} was not sent")
        if tip["branch"] and found[0] != COMMIT:
            raise Fault(_no_commit(tip["id"], *found))
        checkouts.check(id, *found)
