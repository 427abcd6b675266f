"""The job `graft`: a commit whose submodules' files stand in it, in the place of their gitlinks.

Runs in a child process (gitserver.jobserver), because trees of strangers are read. The objects come
out of repositories that are here; what the repository has already is not read. The job `check` then
judges the pack as it judges a push. The same commits make the same one.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from gitserver.faults import Fault
from gitserver.objects.newpack import FOLDER, NewPack, tree_of
from gitserver.objects.packfile import COMMIT, TREE
from gitserver.objects.structures import commit_links, tree_entries

_DEPTH_MAX = 200
"""Folders upon each other on the way to a submodule."""


@dataclass
class _Place:
    """What is grafted at a path, if anything is, and below it."""

    below: dict[bytes, "_Place"] = field(default_factory=dict)
    root: bytes = b""
    objects: DiskObjectStore | None = None


def graft(
    request: dict[str, Any], payload: bytes, write: Callable[[bytes], None]
) -> dict[str, Any]:
    """`request`: repository and pack (paths), commit, author, message, limits, and grafts: each has
    path, repository, commit, and `within`, the path in that commit whose folder it is.

    Answers `{"commit": id}`. Raises Fault.
    """
    limits = request["limits"]
    with ExitStack() as stack:
        target = stack.enter_context(closing(_objects(request["repository"])))
        file = stack.enter_context(Path(request["pack"]).open("w+b"))
        pack = NewPack(file, target, limits["pack_bytes"], "the submodules' files")
        tree = _Grafted(pack, limits["objects"])
        top = _Place()
        for each in request["grafts"]:
            source = stack.enter_context(closing(_objects(each["repository"])))
            root = _folder(source, _root(source, each["commit"]), each["within"].encode())
            place = _at(top, each["path"].encode())
            place.root, place.objects = root, source
        root = tree.of(_root(target, request["commit"]), target, top)
        commit = pack.add(COMMIT, _commit(request, root))
        pack.end()
    return {"commit": commit.hex()}


class _Grafted:
    """Writes trees with what is grafted into them."""

    def __init__(self, pack: NewPack, objects_max: int) -> None:
        self._pack = pack
        self._seen: set[bytes] = set()
        self._objects_max = objects_max

    def of(self, id: bytes, objects: DiskObjectStore, place: _Place) -> bytes:
        """The tree of this id with all that is below the place in it."""
        content = _content(objects, id, TREE)
        items = {entry.name: (entry.mode, entry.id) for entry in tree_entries(id, content)}
        for name, below in place.below.items():
            source, root = (below.objects, below.root) if below.objects else (objects, b"")
            if root:
                self._copy(root, source)
            elif name in items:
                root = items[name][1]
            if not root:
                raise Fault(f"there is no folder {name.decode('utf-8', 'replace')!r}")
            items[name] = (FOLDER, self.of(root, source, below) if below.below else root)
        return self._pack.add(TREE, tree_of(items))

    def _copy(self, root: bytes, objects: DiskObjectStore) -> None:
        waiting = [(root, TREE)]
        while waiting:
            id, type = waiting.pop()
            if id in self._seen or self._pack.has(id):
                continue
            self._seen.add(id)
            if len(self._seen) > self._objects_max:
                raise Fault(f"the submodules have over {self._objects_max:,} files and folders")
            content = _content(objects, id, type)
            self._pack.add(type, content)
            if type == TREE:
                entries = tree_entries(id, content)
                waiting += [(each.id, each.type) for each in entries if not each.is_submodule]


def _at(place: _Place, path: bytes) -> _Place:
    parts = path.split(b"/")
    if len(parts) > _DEPTH_MAX:
        raise Fault(f"a submodule lies below more than {_DEPTH_MAX} folders")
    for part in parts:
        place = place.below.setdefault(part, _Place())
    return place


def _objects(repository: str) -> DiskObjectStore:
    return DiskObjectStore(str(Path(repository) / "objects"))


def _content(objects: DiskObjectStore, id: bytes, type: int) -> bytes:
    try:
        found, content = objects.get_raw(ObjectID(id.hex().encode()))
    except KeyError as error:
        raise Fault(f"object {id.hex()} is missing") from error
    if found != type:
        raise Fault(f"object {id.hex()} is not what its user takes it for")
    return bytes(content)


def _root(objects: DiskObjectStore, commit: str) -> bytes:
    id = bytes.fromhex(commit)
    return commit_links(id, _content(objects, id, COMMIT))[0]


def _folder(objects: DiskObjectStore, root: bytes, path: bytes) -> bytes:
    for name in path.split(b"/") if path else ():
        found = {each.name: each for each in tree_entries(root, _content(objects, root, TREE))}
        if name not in found or found[name].type != TREE:
            raise Fault(f"there is no folder {path.decode('utf-8', 'replace')!r}")
        root = found[name].id
    return root


def _commit(request: dict[str, Any], root: bytes) -> bytes:
    """Without a date of its own, so that it is the same the next time."""
    moment = f"{request['author']} 0 +0000"
    lines = [f"tree {root.hex()}", f"parent {request['commit']}"]
    lines += [f"author {moment}", f"committer {moment}", "", request["message"], ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")
