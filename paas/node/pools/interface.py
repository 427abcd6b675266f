"""What a pool is to the rest of the node, whichever driver keeps it.

A pool holds datasets (`zones/<name>`, mounted at `path(name)`, the userland in its `root/`) and
their snapshots, which live outside every dataset, so that no tenant reaches them. All calls are
synchronous; a repeated call succeeds and changes nothing; a call that was killed leaves names
ending in `.partial` or an intent that `sweep` undoes or finishes. What a dataset means (image,
machine) is its users' matter.
"""

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from paas.node.errors import NodeError

_MIB = 1024 * 1024
FINAL = "final"
"""The snapshot that clones are made from (SmartOS: `zones/<image>@final`)."""
PARTIAL = ".partial"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}(\.partial)?")
_SNAPSHOT = re.compile(r"[A-Za-z0-9_.:%-]{1,128}")


class PoolError(NodeError):
    """The pool can't do it: the message says what and where, the hint what to do."""

    code = "Pool"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(self.code, message, hint)


class NoSpace(PoolError):
    """The pool is full, or as full as it may become."""

    code = "NoSpace"


class QuotaExceeded(PoolError):
    """A dataset holds what its quota allows."""

    code = "QuotaExceeded"


class PoolUnavailable(PoolError):
    """The pool's device fails or is gone; what was written before is still on it."""

    code = "PoolUnavailable"


class DatasetNotFound(PoolError):
    """There is no dataset or snapshot of that name."""


@dataclass(frozen=True)
class Space:
    """Bytes of the whole pool; `free_bytes` counts what the disk below a sparse file can still
    give.
    """

    size_bytes: int
    free_bytes: int


def reserve_bytes(size_bytes: int) -> int:
    """What stays free for those who are there: a twentieth of the pool, 128 MiB to 2 GiB. Pure."""
    return min(max(size_bytes // 20, 128 * _MIB), 2 * 1024 * _MIB, size_bytes // 4)


def check_space(pool: "Pool") -> None:
    """For what makes machines and images. Raises NoSpace when the reserve is reached."""
    space = pool.space()
    reserve = reserve_bytes(space.size_bytes)
    if space.free_bytes < reserve:
        pool.settle()
        space = pool.space()
    if space.free_bytes < reserve:
        raise NoSpace(
            f"the pool zones ({pool.root}) has {space.free_bytes} bytes free "
            f"({space.free_bytes // _MIB} MiB), and keeps {reserve // _MIB} MiB in reserve",
            "Delete old releases, images or machines, or give the pool a larger disk.",
        )


def explain(error: OSError, pool: "Pool") -> PoolError | None:
    """An error of the kernel in the pool's words; None when it is not about the pool."""
    if error.errno == errno.ENOSPC:
        return NoSpace(
            f"the pool zones ({pool.root}) is full: {error}",
            "Delete old releases, images or machines, or give the pool a larger disk.",
        )
    if error.errno == errno.EDQUOT:
        return QuotaExceeded(f"a dataset's quota is full: {error}", "Raise the machine's quota.")
    if error.errno in (errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN):
        return PoolUnavailable(
            f"the pool zones ({pool.root}) can't be used: its device fails or is gone ({error})",
            "Look at the kernel's log (dmesg), bring the device back, and start the node again.",
        )
    return None


class Pool(Protocol):
    """`zones`: every name is a dataset's, without the pool's own (`zones/`)."""

    driver: str
    enforces_quotas: bool
    root: Path
    """The pool's own folder; in it, names that begin with a dot are for records of its users."""

    def path(self, name: str) -> Path:
        """Where `zones/<name>` is mounted, whether it exists or not."""

    def is_present(self) -> bool:
        """Whether the pool itself is there: mounted, or its folder."""

    def exists(self, name: str) -> bool: ...

    def create(self, name: str) -> None:
        """An empty dataset."""

    def clone(self, source_name: str, target_name: str, quota_bytes: int | None = None) -> None:
        """A writable copy of `<source_name>@final`. Raises DatasetNotFound without that
        snapshot.
        """

    def clone_snapshot(
        self, source_name: str, snapshot: str, target_name: str, quota_bytes: int | None = None
    ) -> None:
        """A writable copy of `<source_name>@<snapshot>`."""

    def snapshot(self, name: str, snapshot: str) -> None:
        """`<name>@<snapshot>`, read-only; one that exists stays as it is."""

    def delete_snapshot(self, name: str, snapshot: str) -> None: ...

    def snapshots(self, name: str) -> list[str]: ...

    def rename(self, old: str, new: str) -> None:
        """The dataset with its snapshots; repeating it after it was done succeeds."""

    def destroy(self, name: str) -> None:
        """The dataset and its snapshots. Clones and what was cloned from it live on."""

    def promote(self, name: str) -> None:
        """The clone needs nothing of what it was cloned from any more. Raises DatasetNotFound."""

    def rollback(self, name: str, snapshot: str, quota_bytes: int | None = None) -> None:
        """The dataset as it was at the snapshot; its snapshots stay. Nothing may be using it."""

    def send(self, name: str, snapshot: str, target: IO[bytes]) -> None:
        """`<name>@<snapshot>` as a stream for `receive` of a pool with the same driver."""

    def receive(self, name: str, source: IO[bytes], quota_bytes: int | None = None) -> None:
        """A new dataset and its snapshot from a stream; all or nothing. Raises PoolError."""

    def set_quota(self, name: str, quota_bytes: int | None) -> None:
        """How much the dataset may hold beyond what it was cloned from; None is no limit."""

    def list(self) -> list[str]:
        """Names of whole datasets, sorted."""

    def usage(self, name: str) -> int:
        """Bytes that the dataset's quota counts; up to half a minute old."""

    def usages(self) -> dict[str, int]:
        """`usage` of every dataset, in one go."""

    def space(self) -> Space: ...

    def is_writable(self) -> bool:
        """False once the file system has given up: then nothing can be changed any more."""

    def hold_back(self, more_bytes: int) -> None:
        """All datasets with a quota together may write so much more, and then no more. Raises
        OSError.
        """

    def secure(self) -> None:
        """Give what the pool must be able to write its room on the disk below. Raises OSError."""

    def settle(self) -> None:
        """Have what was deleted a moment ago count as free: by itself that takes half a minute."""

    def tidy(self) -> None:
        """Now and then: forget what deleted datasets have left in the pool's books."""

    def sweep(self) -> Sequence[str]:
        """Undo or finish what a killed process left; for the pool's owner at its start. What it
        did.
        """


def check_name(name: str) -> str:
    """The name, if it can be a dataset's: it becomes a file name under root's hands."""
    if not _NAME.fullmatch(name):
        raise PoolError(f"{name!r} can't name a dataset", "Use a uuid.")
    return name


def check_snapshot(snapshot: str) -> str:
    if not _SNAPSHOT.fullmatch(snapshot) or snapshot in {".", ".."}:
        raise PoolError(
            f"{snapshot!r} can't name a snapshot", "Use letters, digits and any of - _ . : %"
        )
    return snapshot
