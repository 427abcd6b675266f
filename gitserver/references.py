"""A repository's refs: which there are, which are shown, and how they are listed.

HEAD is symbolic and says which branch a clone checks out; it is listed when that branch is there.
"""

import contextlib
import os
import re
from pathlib import Path

from dulwich.objects import ZERO_SHA, ObjectID
from dulwich.refs import DiskRefsContainer, Ref
from dulwich.repo import Repo

from gitserver.objects import shallow, structures
from gitserver.protocol import packets

_ID_LINE = re.compile(rb"([0-9a-f]{40})\n?")
AGENT = b"agent=smartplatform"
FETCH_CAPABILITIES = (
    b"multi_ack_detailed no-done side-band-64k thin-pack ofs-delta shallow include-tag "
    b"deepen-relative no-progress object-format=sha1 " + AGENT
)
PUSH_CAPABILITIES = (
    b"report-status delete-refs side-band-64k quiet atomic ofs-delta push-options "
    b"object-format=sha1 " + AGENT
)


def encode_name(name: str) -> bytes:
    """The bytes of a ref's name: UTF-8, or whatever the client sent instead."""
    return name.encode("utf-8", "surrogateescape")


def decode_name(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def visible(repository: Repo, hidden: tuple[str, ...]) -> list[tuple[bytes, ObjectID]]:
    """HEAD if it points at something, then all refs that are not hidden, sorted by name."""
    prefixes = tuple(prefix.encode() for prefix in hidden)
    refs = everything(repository)
    target = head_target(repository)
    head = [(b"HEAD", refs[target])] if target in refs else []
    rest = [(name, id) for name, id in refs.items() if not name.startswith(prefixes)]
    return head + sorted(rest)


def head_target(repository: Repo) -> Ref:
    """The branch that a clone checks out: HEAD's own, or master when only that is there."""
    target = repository.refs.get_symrefs().get(Ref(b"HEAD"), Ref(b"refs/heads/main"))
    master = Ref(b"refs/heads/master")
    return target if target in repository.refs or master not in repository.refs else master


def advertise(path: Path, service: str, version: int, hidden: tuple[str, ...]) -> bytes:
    """What one of the two services says first: over HTTP the body of `info/refs`. Blocks."""
    if version == 2 and service == "git-upload-pack":
        lines = (b"version 2", AGENT, b"ls-refs=unborn", b"fetch=shallow", b"object-format=sha1")
        return b"".join(packets.encode(line + b"\n") for line in lines) + packets.FLUSH
    head = packets.encode(b"version 1\n") if version == 1 else b""
    with Repo(str(path), bare=True) as repository:
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


def read(path: Path) -> dict[str, str]:
    """What all refs point at now. Blocks."""
    with Repo(str(path), bare=True) as repository:
        return {decode_name(name): id.decode() for name, id in everything(repository).items()}


def everything(repository: Repo) -> dict[bytes, ObjectID]:
    """All refs and what they point at: each file is opened once, as there may be thousands."""
    refs = repository.refs
    assert isinstance(refs, DiskRefsContainer)
    found: dict[bytes, ObjectID] = {bytes(name): id for name, id in refs.get_packed_refs().items()}
    root = os.fsdecode(refs.path)
    for folder, _, files in os.walk(Path(root, "refs")):
        for path in (Path(folder, file) for file in files):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as opened:
                if match := _ID_LINE.fullmatch(opened.read(100)):
                    found[os.fsencode(path.relative_to(root))] = ObjectID(match[1])
    return found


def _list(repository: Repo, service: str, hidden: tuple[str, ...]) -> bytes:
    fetching = service == "git-upload-pack"
    refs = visible(repository, hidden)
    if not fetching:
        refs = [(name, id) for name, id in refs if name != b"HEAD"]
    capabilities = FETCH_CAPABILITIES if fetching else PUSH_CAPABILITIES
    target = head_target(repository)
    if fetching and any(name == b"HEAD" for name, _ in refs):
        capabilities += b" symref=HEAD:" + target
    lines = []
    for name, id in refs:
        lines.append(id + b" " + name)
        if fetching and (peeled := _peeled(repository, id)):
            lines.append(peeled + b" " + name + b"^{}")
    lines = lines or [ZERO_SHA + b" capabilities^{}"]
    lines[0] += b"\0" + capabilities
    lines += [b"shallow " + id for id in _begins(repository)]
    return b"".join(packets.encode(line + b"\n") for line in lines) + packets.FLUSH


def _begins(repository: Repo) -> list[ObjectID]:
    """Where the history is cut off here; a push that is on its way says so before it is there."""
    found = shallow.read(Path(repository.controldir()))
    return sorted(id for id in found if id in repository.object_store)


def _peeled(repository: Repo, id: ObjectID) -> ObjectID | None:
    """What an annotated tag points at in the end; None for anything else."""
    end = ObjectID(structures.peel(repository.object_store.get_raw, id).id.hex().encode())
    return end if end != id else None
