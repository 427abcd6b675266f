"""The words that gitserver and its user share: what a push is, what is asked, what is answered.

gitserver asks four questions (who is this, where is that repository, may these refs change, how
much is too much) and leaves every answer to its user.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_MIB = 1024 * 1024


@dataclass(frozen=True)
class RefUpdate:
    """One ref that a push wants to change. Ids are 40 hexadecimal digits; None is no ref."""

    name: str
    """The full name, `refs/heads/main`. Bytes that are not UTF-8 are surrogate-escaped."""
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Push:
    """A push whose objects were checked and are in the repository; no ref has changed yet."""

    repository: str
    """The name in the URL, without `.git`."""
    path: Path
    user: str
    updates: tuple[RefUpdate, ...]
    push_options: tuple[str, ...]
    progress: Callable[[str], Awaitable[None]]
    """Text for the developer's terminal, as it stands (end lines with a newline); git puts
    `remote: ` before each line. Waits for a slow client at most `Limits.progress_wait_s`, then
    drops text; never raises when the client has gone."""
    cancelled: asyncio.Event
    """Set when the client has gone (Ctrl-C, a lost connection)."""
    began_s: float = field(default_factory=time.perf_counter)
    """When it began to arrive, by `time.perf_counter`."""
    atomic: bool = False
    """`git push --atomic`: all refs change or none. gitserver refuses all when one is refused;
    whoever does more than answer (deploys) must see first that none will be."""


@dataclass(frozen=True)
class NewCommit:
    """What a commit says that nobody made with git. `author` is `Name <address>`."""

    parent: str | None
    author: str
    message: str
    time_s: int


@dataclass(frozen=True)
class Stored:
    """What came of an archive: `top` is the folder whose content was taken, with a slash, or
    nothing; `left_out` begins the list of what git can't have."""

    commit: str
    files: int
    bytes: int
    top: str
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Graft:
    """A submodule's files: they take the place of the gitlink at `path`.

    They are those of `commit` in the `repository` (a bare git folder), or of its folder `within`.
    `origin` is the commit that the gitlink names.
    """

    path: str
    origin: str
    repository: Path
    commit: str
    within: str = ""


Accept = Callable[[Push], Awaitable[Mapping[str, str | None]]]
"""Full ref name → None (the ref changes) or the reason of the refusal, one line, which git shows in
`! [remote rejected] main -> main (reason)`. A ref that is not in the answer is refused."""


@dataclass(frozen=True)
class Found:
    """A repository: `path` is a bare git folder (see `gitserver.trees.init`)."""

    path: Path


@dataclass(frozen=True)
class NotFoundMessage:
    """No such repository (for this user): git prints `fatal: remote error: <text>`.

    The text may have several lines; git shows them as they are.
    """

    text: str


@dataclass(frozen=True)
class Refusal:
    """The user is known and may not do this: git prints `fatal: remote error: <text>`."""

    text: str


Find = Callable[[str, str], Awaitable[Found | NotFoundMessage]]
"""(name in the URL without `.git`, user) → where it is, or what to tell the developer."""

Authenticate = Callable[[str | None, Scope, bool], Awaitable[str | Refusal | None]]
"""(the Authorization header, the ASGI scope, whether it is for a push) → the user, or None: git is
asked for credentials.

A Refusal says what this user may not do."""


@dataclass(frozen=True)
class Limits:
    """How much is too much. Each is refused with a message that names the limit."""

    pack_bytes: int = 4096 * _MIB
    """One push on the wire, and on disk while it is checked."""
    object_bytes: int = 512 * _MIB
    """One file of a commit."""
    structure_bytes: int = 32 * _MIB
    """One commit, tag or tree object."""
    inflated_bytes: int = 16 * 1024 * _MIB
    """All objects of one push, uncompressed."""
    objects: int = 2_000_000
    tree_entries: int = 500_000
    """Files and folders below a pushed commit, counted as a checkout makes them."""
    updates: int = 10_000
    """Refs that one push may change."""
    refs: int = 10_000
    """Refs that a repository may have."""
    shallow: int = 10_000
    """Commits of a repository whose history may be cut off before them (shallow clones push so)."""
    fetch_request_bytes: int = 16 * _MIB
    check_memory_bytes: int = 768 * _MIB
    check_cpu_s: int = 300
    check_s: int = 600
    """Wall time of checking one push, in its child process."""
    checks_at_once: int = 2
    """Further pushes wait (and are kept awake): each check may take `check_memory_bytes`."""
    fetch_s: int = 3600
    """Wall time of one fetch, at the client's pace."""
    fetches_at_once: int = 8
    receive_idle_s: float = 120.0
    """A client that sends nothing for so long has gone."""
    progress_wait_s: float = 5.0
    keep_alive_s: float = 5.0
    """An empty side-band packet is sent when nothing else was for so long."""
    lfs_object_bytes: int = 2048 * _MIB
    """One large file (Git LFS)."""
    lfs_bytes: int = 10 * 1024 * _MIB
    """All large files of a repository."""
    lfs_free_bytes: int = 2048 * _MIB
    """What large files leave free of the disk."""
    lfs_transfers_at_once: int = 32
    hidden_refs: tuple[str, ...] = field(default=("refs/hidden/",))
    """Prefixes that are neither shown nor may be pushed to; for refs that keep objects alive."""
