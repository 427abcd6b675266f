"""A repository's refs: which are shown, how they are listed, and how they change.

HEAD is symbolic and says which branch a clone checks out; it is listed when that branch is there.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dulwich.errors import RefFormatError
from dulwich.objects import ZERO_SHA, ObjectID, Tag
from dulwich.refs import DiskRefsContainer, Ref, check_ref_format
from dulwich.repo import Repo

from gitserver import packets
from gitserver.interface import RefUpdate

AGENT = b"agent=smartplatform"
NAME_BYTES_MAX = 1000
FETCH_CAPABILITIES = (
    b"multi_ack_detailed no-done side-band-64k thin-pack ofs-delta shallow include-tag "
    b"no-progress object-format=sha1 " + AGENT
)
PUSH_CAPABILITIES = (
    b"report-status delete-refs side-band-64k quiet atomic ofs-delta push-options "
    b"object-format=sha1 " + AGENT
)


def encode_name(name: str) -> bytes:
    """The bytes of a ref's name: UTF-8, or whatever the client sent instead."""
    return name.encode("utf-8", "surrogateescape")


def visible(repository: Repo, hidden: tuple[str, ...]) -> list[tuple[bytes, ObjectID]]:
    """HEAD if it points at something, then all refs that are not hidden, sorted by name."""
    prefixes = tuple(prefix.encode() for prefix in hidden)
    refs = repository.refs.as_dict()
    refs.pop(Ref(b"HEAD"), None)
    target = head_target(repository)
    head = [(b"HEAD", refs[target])] if target in refs else []
    rest = [(bytes(name), id) for name, id in refs.items() if not name.startswith(prefixes)]
    return head + sorted(rest)


def head_target(repository: Repo) -> Ref:
    """The branch that a clone checks out: HEAD's own, or master when only that is there."""
    target = repository.refs.get_symrefs().get(Ref(b"HEAD"), Ref(b"refs/heads/main"))
    master = Ref(b"refs/heads/master")
    return target if target in repository.refs or master not in repository.refs else master


def advertise(path: Path, service: str, version: int, hidden: tuple[str, ...]) -> bytes:
    """The body of `info/refs` for one of the two services. Blocks."""
    head = packets.encode(f"# service={service}\n") + packets.FLUSH
    if version == 2 and service == "git-upload-pack":
        lines = (b"version 2", AGENT, b"ls-refs=unborn", b"fetch=shallow", b"object-format=sha1")
        return head + b"".join(packets.encode(line + b"\n") for line in lines) + packets.FLUSH
    with Repo(str(path), bare=True) as repository:
        if version == 1:
            head += packets.encode(b"version 1\n")
        return head + _list(repository, service, hidden)


def list_v2(repository: Repo, hidden: tuple[str, ...], arguments: tuple[bytes, ...]) -> bytes:
    """The answer to `ls-refs` (gitprotocol-v2(5))."""
    prefixes = [word[11:] for word in arguments if word.startswith(b"ref-prefix ")]
    refs = visible(repository, hidden)
    target = head_target(repository)
    lines = []
    if b"unborn" in arguments and not any(name == b"HEAD" for name, _ in refs):
        lines.append(b"unborn HEAD symref-target:" + target)
    for name, id in refs:
        if prefixes and not name.startswith(tuple(prefixes)):
            continue
        line = id + b" " + name
        if b"symrefs" in arguments and name == b"HEAD":
            line += b" symref-target:" + target
        if b"peel" in arguments and (peeled := _peeled(repository, id)):
            line += b" peeled:" + peeled
        lines.append(line)
    return b"".join(packets.encode(line + b"\n") for line in lines) + packets.FLUSH


def annotated_tags(repository: Repo, hidden: tuple[str, ...]) -> dict[ObjectID, list[ObjectID]]:
    """What tags point at → the tag objects of refs/tags/ that do."""
    tags: dict[ObjectID, list[ObjectID]] = {}
    for name, id in visible(repository, hidden):
        if name.startswith(b"refs/tags/") and (peeled := _peeled(repository, id)):
            tags.setdefault(peeled, []).append(id)
    return tags


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


def read(path: Path, names: Iterable[str]) -> tuple[dict[str, str | None], int]:
    """What these refs point at now, and how many refs there are in all. Blocks."""
    with Repo(str(path), bare=True) as repository:
        refs = repository.refs.as_dict(Ref(b"refs"))
    known = {b"refs/" + name: id for name, id in refs.items()}
    found = {name: known.get(Ref(encode_name(name))) for name in names}
    return {name: id.decode() if id else None for name, id in found.items()}, len(known)


def update(path: Path, updates: Iterable[RefUpdate], *, atomic: bool) -> dict[str, str | None]:
    """Changes refs from old to new, each only if it still is at old; ref → None or the reason.

    A ref that is at `new` already counts as changed: whoever accepted the push may have set it.
    Blocks while another process changes refs of this repository.
    """
    updates = list(updates)
    with locked(path), Repo(str(path), bare=True) as repository:
        refs = repository.refs
        assert isinstance(refs, DiskRefsContainer)
        stale = {u.name: reason for u in updates if (reason := _stale(refs, u))}
        if atomic and stale:
            return {u.name: stale.get(u.name, "atomic push failed") for u in updates}
        # Deletions first: they may make room for a ref below the old name.
        results: dict[str, str | None] = dict(stale)
        for change in sorted(updates, key=lambda u: u.new is not None):
            if change.name not in stale:
                results[change.name] = _change(refs, change)
        return results


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer of refs at a time; the kernel ends the lock with its holder."""
    with (path / "gitserver.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _list(repository: Repo, service: str, hidden: tuple[str, ...]) -> bytes:
    fetching = service == "git-upload-pack"
    refs = visible(repository, hidden)
    if not fetching:
        refs = [(name, id) for name, id in refs if name != b"HEAD"]
    capabilities = FETCH_CAPABILITIES if fetching else PUSH_CAPABILITIES
    target = head_target(repository)
    if fetching and any(name == b"HEAD" for name, _ in refs):
        capabilities += b" symref=HEAD:" + target
    if not refs:
        line = ZERO_SHA + b" capabilities^{}\0" + capabilities + b"\n"
        return packets.encode(line) + packets.FLUSH
    lines = []
    for name, id in refs:
        lines.append(id + b" " + name)
        if fetching and (peeled := _peeled(repository, id)):
            lines.append(peeled + b" " + name + b"^{}")
    lines[0] += b"\0" + capabilities
    return b"".join(packets.encode(line + b"\n") for line in lines) + packets.FLUSH


def _peeled(repository: Repo, id: ObjectID) -> ObjectID | None:
    """What an annotated tag points at in the end; None for anything else."""
    end = id
    while isinstance(found := repository.object_store[end], Tag):
        end = found.object[1]
    return end if end != id else None


def _stale(refs: DiskRefsContainer, change: RefUpdate) -> str | None:
    now = refs.read_ref(Ref(encode_name(change.name)))
    current = now.decode() if now else None
    if current in (change.old, change.new):
        return None
    return "the ref has changed meanwhile; fetch first"


def _change(refs: DiskRefsContainer, change: RefUpdate) -> str | None:
    name = Ref(encode_name(change.name))
    old = ObjectID(change.old.encode()) if change.old else ZERO_SHA
    try:
        if refs.read_ref(name) == (change.new.encode() if change.new else None):
            return None
        if change.new is None:
            done = refs.remove_if_equals(name, old)
        else:
            done = refs.set_if_equals(name, old, ObjectID(change.new.encode()))
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        return "a ref of that name would be a folder of another's"
    except (OSError, RefFormatError) as error:
        return f"failed to update ref: {error}"
    return None if done else "the ref has changed meanwhile; fetch first"
