"""Quotas of a btrfs pool: which kind the kernel has, and a limit for a dataset.

Simple quotas (kernel 6.7) charge an extent to the dataset that wrote it, for good: a limit means
what a tenant writes. Before them only referenced bytes can be limited, which count the image as
well; so the limit is the quota plus what the clone began with. A limit on exclusive bytes would be
wrong: deleting an image raises the exclusive bytes of its clones.

Simple quotas are kept on a group of level 1 above the dataset, because the kernel puts subvolumes
that a tenant makes inside into the groups of the one around them: nothing escapes the limit. One
group of level 2 is above all of these: its limit is what all machines together may still write,
so that none of them gets at the pool's reserve.
"""

import errno
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from paas.node.pools import btrfs_ioctls as ioctls

_ENABLE, _ENABLE_SIMPLE = 1, 4
_STATUS_SIMPLE = 1 << 3
_BASE_ATTRIBUTE = "trusted.smartplatform.base_bytes"
_LEVEL_1 = 1 << 48
_ALL = 2 << 48 | 1

SIMPLE, FULL = "simple", "full"


def enable(root: Path, wanted: str = SIMPLE) -> str:
    """The kind of quotas that the file system has from now on: `simple`, or `full` on old
    kernels.
    """
    with ioctls.opened(root) as pool:
        present = kind(pool)
        if present:
            return present
        if wanted == SIMPLE:
            try:
                ioctls.quota_control(pool, _ENABLE_SIMPLE)
                return SIMPLE
            except OSError as error:
                if error.errno not in {errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP}:
                    raise
        ioctls.quota_control(pool, _ENABLE)
        return FULL


def kind(pool: int) -> str:
    """`simple`, `full`, or nothing where quotas are off."""
    try:
        items = list(ioctls.search(pool, ioctls.QUOTA_TREE, ioctls.QGROUP_STATUS_KEY, 0))
    except FileNotFoundError:
        return ""
    if not items:
        return ""
    _, _, flags, _ = struct.unpack_from("=4Q", items[0][2])
    return SIMPLE if flags & _STATUS_SIMPLE else FULL


def remember_base(path: Path) -> None:
    """What a fresh clone refers to is its image's, not counted against its quota (old kernels)."""
    with ioctls.opened(path) as dataset:
        base = _referenced(dataset, ioctls.subvolume_id(dataset))
        os.setxattr(dataset, _BASE_ATTRIBUTE, str(base).encode())


def limit(root: Path, path: Path, quota_bytes: int | None, quota_kind: str) -> None:
    """Asked of the pool's root: a full dataset has no room left to have its own limit raised."""
    with ioctls.opened(path) as dataset, ioctls.opened(root) as pool:
        subvolume = ioctls.subvolume_id(dataset)
        if quota_kind == SIMPLE:
            group = _LEVEL_1 | subvolume
            ioctls.create_qgroup(pool, group)
            ioctls.assign_qgroup(pool, subvolume, group)
            ioctls.create_qgroup(pool, _ALL)
            ioctls.assign_qgroup(pool, group, _ALL)
            ioctls.limit_qgroup(pool, group, quota_bytes)
            return
        base = 0 if quota_bytes is None else _base(dataset)
        limited = None if quota_bytes is None else quota_bytes + base
        ioctls.limit_qgroup(pool, subvolume, limited)


def gather(root: Path) -> None:
    """Put the groups that an earlier version made below the one of all."""
    with ioctls.opened(root) as pool:
        ioctls.create_qgroup(pool, _ALL)
        relations = ioctls.search(pool, ioctls.QUOTA_TREE, ioctls.QGROUP_RELATION_KEY)
        inside = {group for group, above, _ in relations if above == _ALL}
        for _, group, _ in _information(pool):
            if group >> 48 == 1 and group not in inside:
                ioctls.assign_qgroup(pool, group, _ALL)


def limit_all(root: Path, more_bytes: int) -> None:
    """All datasets with a quota together may write so much more from now on."""
    with ioctls.opened(root) as pool:
        limit_bytes = _referenced(pool, _ALL) + more_bytes
        ioctls.limit_qgroup(pool, _ALL, limit_bytes // 4096 * 4096)


def usage(path: Path, quota_kind: str) -> int:
    with ioctls.opened(path) as dataset:
        subvolume = ioctls.subvolume_id(dataset)
        if quota_kind == SIMPLE:
            return max(_referenced(dataset, subvolume), _referenced(dataset, _LEVEL_1 | subvolume))
        return max(0, _referenced(dataset, subvolume) - _base(dataset))


def usages(root: Path, names: Sequence[str]) -> dict[str, int]:
    """`usage` of many datasets under simple quotas: the groups are read once for all."""
    with ioctls.opened(root) as pool:
        referenced = {group: _bytes(body) for _, group, body in _information(pool)}
    found = {}
    for name in names:
        with suppress(FileNotFoundError), ioctls.opened(root / name) as dataset:
            subvolume = ioctls.subvolume_id(dataset)
            groups = (subvolume, _LEVEL_1 | subvolume)
            found[name] = max(referenced.get(group, 0) for group in groups)
    return found


def forget(root: Path) -> int:
    """Drop the groups of datasets that are gone; the kernel keeps those that still count
    something.
    """
    with ioctls.opened(root) as pool:
        groups = [group for _, group, _ in _information(pool)]
        alive = {group for group in groups if not group >> 48}
        own = [group for group in groups if group >> 48 == 1]
        stale = [group for group in own if group & (_LEVEL_1 - 1) not in alive]
        return sum(ioctls.delete_qgroup(pool, group) for group in stale)


def _information(pool: int) -> list[tuple[int, int, bytes]]:
    return list(ioctls.search(pool, ioctls.QUOTA_TREE, ioctls.QGROUP_INFO_KEY, 0))


def _referenced(dataset: int, group: int) -> int:
    info = ioctls.search(dataset, ioctls.QUOTA_TREE, ioctls.QGROUP_INFO_KEY, 0, offset=group)
    return next((_bytes(body) for _, _, body in info), 0)


def _bytes(information: bytes) -> int:
    return int(struct.unpack_from("=QQ", information)[1])


def _base(dataset: int) -> int:
    try:
        return int(os.getxattr(dataset, _BASE_ATTRIBUTE))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return 0
