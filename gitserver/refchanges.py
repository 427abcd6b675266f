"""How refs change: which may, each only from what it was, and all at once where there are many.

Whoever holds the lock is the only writer. What a writer that was killed has left is removed.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dulwich.errors import RefFormatError
from dulwich.objects import ZERO_SHA, ObjectID
from dulwich.refs import DiskRefsContainer, Ref, check_ref_format
from dulwich.repo import Repo

from gitserver.interface import RefUpdate
from gitserver.references import decode_name, encode_name, everything

NAME_BYTES_MAX = 1000
STALE = "the ref has changed meanwhile; fetch first"
ALL_OR_NOTHING = "atomic push failed"
FOLDER = "a ref of that name would be a folder of another's"
_PACKED_MIN = 20
"""So many new refs are written as one file: one for each would take minutes for thousands."""


def refusal(name: bytes, hidden: tuple[str, ...]) -> str | None:
    """Why a ref of this name can't be pushed, or None."""
    if len(name) > NAME_BYTES_MAX:
        return "the name is too long"
    if not name.startswith(b"refs/") or not check_ref_format(Ref(name)):
        return "funny refname"
    if any(len(part) > 250 for part in name.split(b"/")):
        return "the name is too long"
    if name.startswith(tuple(prefix.encode() for prefix in hidden)):
        return "deny updating a hidden ref"
    return None


def refusals(
    updates: Sequence[RefUpdate], now: Mapping[str, str], hidden: tuple[str, ...]
) -> dict[str, str]:
    """Ref → why it can't change from what the refs are now; those that can are left out."""
    refused: dict[str, str] = {}
    there = Names(now.keys() - {update.name for update in updates if update.new is None})
    seen: set[str] = set()
    for update in updates:
        reason = refusal(encode_name(update.name), hidden)
        if reason is None and now.get(update.name) != update.old:
            reason = STALE
        if reason is None and update.new is not None and there.clash(update.name):
            reason = FOLDER
        if update.name in seen:
            reason = "multiple updates for one ref"
        seen.add(update.name)
        if reason is not None:
            refused[update.name] = reason
        elif update.new is not None:
            there.add(update.name)
    return refused


class Names:
    """A set of refs' names, which are files and folders on the disk."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._folders: set[str] = set()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        self._names.add(name)
        self._folders.update(_folders(name))

    def clash(self, name: str) -> bool:
        """Whether the name is a folder of another one, or another one a folder of it."""
        return name in self._folders or any(folder in self._names for folder in _folders(name))

    def touch(self, name: str) -> bool:
        return name in self._names or self.clash(name)


def _folders(name: str) -> Iterator[str]:
    position = name.find("/")
    while position != -1:
        yield name[:position]
        position = name.find("/", position + 1)


def update(path: Path, updates: Iterable[RefUpdate], *, atomic: bool) -> dict[str, str | None]:
    """Changes refs from old to new, each only if it still is at old; ref → None or the reason.

    A ref that is at `new` already counts as changed: whoever accepted the push may have set it.
    Blocks while another process changes refs of this repository.
    """
    updates = list(updates)
    with locked(path), Repo(str(path), bare=True) as repository:
        refs = repository.refs
        assert isinstance(refs, DiskRefsContainer)
        now = {decode_name(name): id.decode() for name, id in everything(repository).items()}
        done = {u.name for u in updates if now.get(u.name) == u.new}
        wanted = [u for u in updates if u.name not in done]
        results: dict[str, str | None] = dict.fromkeys(done)
        refused = refusals(wanted, now, ())
        if atomic and refused:
            return results | {u.name: refused.get(u.name, ALL_OR_NOTHING) for u in wanted}
        _forget_locks(path, wanted)
        return results | refused | _change_all(refs, [u for u in wanted if u.name not in refused])


def _change_all(refs: DiskRefsContainer, changes: list[RefUpdate]) -> dict[str, str | None]:
    # One that is replaced is never in between nothing, as it would be while refs are packed.
    packed = [change for change in changes if change.old is None or change.new is None]
    results: dict[str, str | None] = {}
    if len(packed) >= _PACKED_MIN:
        try:
            refs.add_packed_refs({Ref(encode_name(u.name)): _object_id(u.new) for u in packed})
            results = dict.fromkeys(u.name for u in packed)
        except OSError as error:
            results = dict.fromkeys((u.name for u in packed), f"failed to update ref: {error}")
        _remove_empty_folders(Path(os.fsdecode(refs.path)), packed)
    # Deletions first: they may make room for a ref below the old name.
    for change in sorted(changes, key=lambda u: u.new is not None):
        if change.name not in results:
            results[change.name] = _change(refs, change)
    return results


def _object_id(id: str | None) -> ObjectID | None:
    return ObjectID(id.encode()) if id else None


def _forget_locks(path: Path, changes: Iterable[RefUpdate]) -> None:
    """Files with which a writer kept others away and that it did not live to remove."""
    names = [os.fsdecode(encode_name(change.name)) for change in changes]
    for name in ("packed-refs", *names):
        with contextlib.suppress(OSError):
            (path / f"{name}.lock").unlink()


def _remove_empty_folders(path: Path, changes: Iterable[RefUpdate]) -> None:
    """Of refs that are gone: a ref may get that name."""
    for change in changes:
        if change.new is None:
            for folder in sorted(_folders(change.name), reverse=True)[:-2]:
                try:
                    (path / os.fsdecode(encode_name(folder))).rmdir()
                except OSError:
                    break


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer of refs at a time; the kernel ends the lock with its holder."""
    with (path / "gitserver.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _change(refs: DiskRefsContainer, change: RefUpdate) -> str | None:
    name = Ref(encode_name(change.name))
    old = _object_id(change.old) or ZERO_SHA
    new = _object_id(change.new)
    try:
        if new is None:
            done = refs.remove_if_equals(name, old)
        else:
            done = refs.set_if_equals(name, old, new)
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        return FOLDER
    except (OSError, RefFormatError) as error:
        return f"failed to update ref: {error}"
    return None if done else STALE
