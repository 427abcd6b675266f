"""The job `tidy`: many small packs become one.

Each push leaves a pack, and looking for an object asks all of them. Nothing is forgotten: what no
ref reaches is copied too, because a push that is being judged may need it.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID
from dulwich.pack import Pack

from gitserver.objects.packing import write_pack
from gitserver.objects.placing import place

PACKS_MAX = 40
"""So many small packs are left alone."""
_SMALL_BYTES = 16 * 1024 * 1024


def needs_tidying(path: Path) -> bool:
    return len(list((path / "objects" / "pack").glob("*.idx"))) > PACKS_MAX


def tidy(request: dict[str, Any], payload: bytes, write: Callable[[bytes], None]) -> dict[str, int]:
    """`request`: repository, folder (for the new pack, same disk). Answers `{"packs": n}`."""
    path = Path(request["repository"])
    with (path / "gitserver.tidy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = DiskObjectStore(str(path / "objects"))
        small = [pack for pack in store.packs if _file(pack).stat().st_size <= _SMALL_BYTES]
        if len(small) > PACKS_MAX:
            _replace(store, small, Path(request["folder"]) / "tidy.pack")
        store.close()
    return {"packs": len(small)}


def _replace(store: DiskObjectStore, packs: list[Pack], temporary: Path) -> None:
    ids = dict.fromkeys(ObjectID(id) for pack in packs for id in pack)
    with temporary.open("wb") as file:
        # Deltas are not reused: their bases may lie in packs that stay.
        entries = write_pack(file.write, store, list(ids), reuse_deltas=False)
    rows = [(id, offset, crc32) for id, (offset, crc32) in entries.items()]
    placed = place(temporary, rows, {}, Path(store.pack_dir))
    for pack in packs:
        old = _file(pack)
        if old.name != placed.name:
            # The index first: a pack without one is not there.
            old.with_suffix(".idx").unlink(missing_ok=True)
            old.unlink(missing_ok=True)


def _file(pack: Pack) -> Path:
    return Path(pack.data.path)
