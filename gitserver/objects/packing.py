"""Writes objects of a repository as a pack, for a fetch or for fewer packs on the disk.

Objects are copied as bytes and never parsed: dulwich's own writer does, and gives up over a commit
whose date it can't read, which git takes, keeps and sends.
"""

from collections.abc import Callable, Iterator, Sequence

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID, RawObjectID, sha_to_hex
from dulwich.pack import (
    PackHint,
    UnpackedObject,
    find_reusable_deltas,
    write_pack_data,
)

Write = Callable[[bytes], None] | Callable[[bytes | bytearray | memoryview], int]
Places = dict[bytes, tuple[int, int]]
"""Object (20 bytes) → its offset and the CRC-32 of its entry."""


def write_pack(
    write: Write,
    store: DiskObjectStore,
    ids: Sequence[tuple[ObjectID, PackHint | None]],
    *,
    reuse_deltas: bool,
) -> Places:
    """Whole objects, or deltas that lie there already upon others of `ids`."""
    records = _records(store, [id for id, _ in ids], reuse_deltas)
    places, _ = write_pack_data(
        write, records, num_records=len(ids), object_format=store.object_format
    )
    return places


def _records(
    store: DiskObjectStore, ids: Sequence[ObjectID], reuse_deltas: bool
) -> Iterator[UnpackedObject]:
    todo = dict.fromkeys(ids)
    if reuse_deltas:
        for delta in find_reusable_deltas(store, set(todo)):
            del todo[sha_to_hex(RawObjectID(delta.sha()))]
            yield delta
    for id in todo:
        type, content = store.get_raw(id)
        yield UnpackedObject(type, sha=bytes.fromhex(id.decode()), decomp_chunks=[content])
