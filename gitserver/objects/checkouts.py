"""How large a checkout of a commit would be, without making it: a few small trees can name a
billion files (a "git bomb"), and paths can be longer than any file system takes."""

from collections.abc import Callable
from dataclasses import dataclass

from gitserver.faults import Fault
from gitserver.objects.packfile import BLOB, COMMIT, TAG, TREE
from gitserver.objects.structures import TreeEntry, commit_links, references, tree_entries

PATH_BYTES_MAX = 4095
_TAGS_MAX = 20


@dataclass(frozen=True, slots=True)
class _Extent:
    entries: int
    path_bytes: int


class Checkouts:
    """`get` gives type and content of an object by its 20-byte id."""

    def __init__(
        self,
        get: Callable[[bytes], tuple[int, bytes] | None],
        entries_max: int,
    ) -> None:
        self._get = get
        self._entries_max = entries_max
        self._extents: dict[bytes, _Extent] = {}

    def check(self, id: bytes, type: int, content: bytes) -> None:
        """Raises Fault when the commit (or what the tag points at) is too large to check out."""
        for _ in range(_TAGS_MAX):
            if type != TAG:
                break
            target = next(iter(references(type, id, content)))
            id, type = target.id, target.type
            content = self._read(id, type) if type != BLOB else b""
        if type == COMMIT:
            id, _ = commit_links(id, content)
            type = TREE
        if type == TREE:
            self._measure(id)

    def _measure(self, root: bytes) -> None:
        """Depth first with a stack of its own: nesting must not end in a RecursionError."""
        stack = [root]
        while stack:
            id = stack[-1]
            if id in self._extents:
                stack.pop()
                continue
            entries = tree_entries(id, self._read(id, TREE))
            children = dict.fromkeys(e.id for e in entries if e.type == TREE)
            if missing := [child for child in children if child not in self._extents]:
                stack += missing
                continue
            stack.pop()
            self._extents[id] = self._extent(entries)

    def _extent(self, entries: list[TreeEntry]) -> _Extent:
        count = path_bytes = 0
        for entry in entries:
            below = self._extents[entry.id] if entry.type == TREE else _Extent(0, 0)
            count += 1 + below.entries
            path_bytes = max(path_bytes, len(entry.name) + 1 + below.path_bytes)
        if count > self._entries_max:
            raise Fault(f"the commit has over {self._entries_max} files and folders")
        if path_bytes > PATH_BYTES_MAX:
            raise Fault(f"the commit has a path longer than {PATH_BYTES_MAX} bytes")
        return _Extent(count, path_bytes)

    def _read(self, id: bytes, type: int) -> bytes:
        found = self._get(id)
        if found is None or found[0] != type:
            raise Fault(f"object {id.hex()} is missing or of the wrong type")
        return found[1]
