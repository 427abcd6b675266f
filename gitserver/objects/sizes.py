"""The sizes of objects without their contents, from the heads of their entries in packs.

Reading every file of a commit only to know how large it is would take as long as sending it.
"""

from contextlib import ExitStack
from pathlib import Path

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID
from dulwich.pack import Pack, PackFileDisappeared

from gitserver.objects.packfile import ReceivedPack, SizeLimits

_NO_LIMITS = SizeLimits(object_bytes=0, structure_bytes=0, inflated_bytes=0, objects=0)


class Sizes:
    """A context: pack files that were opened are closed at its end."""

    def __init__(self, store: DiskObjectStore) -> None:
        self._store = store
        self._open: list[tuple[Pack, ReceivedPack]] = []
        self._stack = ExitStack()

    def __enter__(self) -> "Sizes":
        for pack in self._store.packs:
            # One that is being put together with others may vanish; its objects are elsewhere.
            try:
                opened = ReceivedPack(Path(pack.data.path), _NO_LIMITS)
            except (FileNotFoundError, PackFileDisappeared):
                continue
            self._stack.callback(opened.close)
            self._open.append((pack, opened))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, id: ObjectID) -> int:
        """The object's size in bytes. Raises KeyError when it is not there."""
        for pack, opened in self._open:
            try:
                offset = pack.index.object_offset(id)
            except (KeyError, PackFileDisappeared):
                continue
            return opened.size_at(offset)
        _, content = self._store.get_raw(id)
        return len(content)
