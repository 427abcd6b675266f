"""Resolves the deltas of a received pack, with bounded memory and no recursion.

Walks from each whole object down to the deltas upon it, so that a base is nearly always at hand;
what had to be dropped from memory is made again from its own base.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from hashlib import sha1

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

from gitserver.faults import Fault, Missing
from gitserver.objects.packfile import BLOB, TYPE_NAMES, PackEntry, ReceivedPack, delta_result_size

_CACHE_BYTES = 192 * 1024 * 1024
_DELTA_BYTES_MIN = 4
"""git's own reader takes none that is shorter (delta.h, DELTA_SIZE_MIN)."""
_DEPTH_MAX = 4096
"""pack.depth's greatest value (git-config(1))."""

Look = Callable[[bytes], tuple[int, bytes] | None]
Visit = Callable[[PackEntry, int, bytes], None]


class Resolver:
    """`visit(entry, type, content)` is called once for each resolved delta that is no blob."""

    def __init__(self, pack: ReceivedPack, entries: list[PackEntry], look: Look) -> None:
        self._pack = pack
        self._look = look
        self._by_offset = {entry.offset: entry for entry in entries}
        self._upon_offset: dict[int, list[PackEntry]] = defaultdict(list)
        self._upon_id: dict[bytes, list[PackEntry]] = defaultdict(list)
        self._base: dict[int, int | bytes] = {}
        self._contents: OrderedDict[int | bytes, tuple[int, bytes]] = OrderedDict()
        self._contents_bytes = 0
        self.external: dict[bytes, tuple[int, bytes]] = {}
        self.unresolved = 0
        for entry in entries:
            self._note(entry)

    def run(self, visit: Visit) -> None:
        """Resolves all; `external` then has the bases that a thin pack left out.

        Raises Fault for a delta that can't be applied, is too deep or has no base.
        """
        if not self.unresolved:
            return
        for entry in list(self._by_offset.values()):
            if entry.base_offset is None and entry.base_id is None:
                assert entry.id is not None
                self._descend(entry.offset, entry.id, visit)
        # What is left starts at an object that only the repository has.
        for base_id in list(self._upon_id):
            if base_id in self._upon_id and (found := self._look(base_id)):
                self.external[base_id] = found
                self._descend(None, base_id, visit)
        if self.unresolved:
            raise Missing(f"{self.unresolved} deltas have no base, here or in the repository")

    def _note(self, entry: PackEntry) -> None:
        if entry.base_offset is not None:
            if entry.base_offset not in self._by_offset:
                raise Fault(f"the delta at byte {entry.offset} has no object as its base")
            self._upon_offset[entry.base_offset].append(entry)
            self.unresolved += 1
        elif entry.base_id is not None:
            self._upon_id[entry.base_id].append(entry)
            self.unresolved += 1

    def _descend(self, offset: int | None, id: bytes, visit: Visit) -> None:
        stack = [(entry, base, 1) for entry, base in self._upon(offset, id)]
        while stack:
            entry, base, depth = stack.pop()
            if depth > _DEPTH_MAX:
                raise Fault(f"a chain of deltas is longer than {_DEPTH_MAX}")
            self._base[entry.offset] = base
            type, content = self._apply(entry, self._content(base))
            entry.id = sha1(b"%s %d\0" % (TYPE_NAMES[type], len(content)) + content).digest()
            self.unresolved -= 1
            if type != BLOB:
                visit(entry, type, content)
            upon = self._upon(entry.offset, entry.id)
            if upon:
                self._keep(entry.offset, type, content)
                stack += [(child, child_base, depth + 1) for child, child_base in upon]

    def _upon(self, offset: int | None, id: bytes) -> list[tuple[PackEntry, int | bytes]]:
        base: int | bytes = id if offset is None else offset
        children = self._upon_offset.pop(offset, []) if offset is not None else []
        return [(child, base) for child in children + self._upon_id.pop(id, [])]

    def _content(self, base: int | bytes) -> tuple[int, bytes]:
        """Type and content of a base, made again from the nearest that is still in memory."""
        chain: list[PackEntry] = []
        while True:
            if base in self._contents:
                self._contents.move_to_end(base)
                found = self._contents[base]
                break
            if isinstance(base, bytes):
                found = self.external[base]
                break
            entry = self._by_offset[base]
            if entry.type in TYPE_NAMES:
                found = entry.type, self._pack.inflate(entry, entry.size)
                self._keep(base, *found)
                break
            chain.append(entry)
            base = self._base[base]
        for entry in reversed(chain):
            found = self._apply(entry, found)
            self._keep(entry.offset, *found)
        return found

    def _apply(self, entry: PackEntry, base: tuple[int, bytes]) -> tuple[int, bytes]:
        type, source = base
        delta = self._pack.inflate(entry, entry.size)
        if len(delta) < _DELTA_BYTES_MIN:
            raise Fault(f"the delta at byte {entry.offset} is too short")
        size = delta_result_size(delta)
        self._pack.check_size(type, size)
        self._pack.count_inflated(size)
        try:
            return type, b"".join(apply_delta(source, delta))
        except (ApplyDeltaError, ValueError, IndexError) as error:
            raise Fault(f"the delta at byte {entry.offset} can't be applied: {error}") from error

    def _keep(self, key: int | bytes, type: int, content: bytes) -> None:
        if key in self._contents:
            return
        self._contents[key] = type, content
        self._contents_bytes += len(content)
        while self._contents_bytes > _CACHE_BYTES and len(self._contents) > 1:
            _, (_, dropped) = self._contents.popitem(last=False)
            self._contents_bytes -= len(dropped)
