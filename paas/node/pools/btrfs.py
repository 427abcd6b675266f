"""The pool driver on btrfs: a dataset is a subvolume, a clone is one call to the kernel.

Where the file system comes from is `sparse_file`'s matter, what a quota means `quotas`'.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from paas.node.pools import backing, layout, quotas, streams
from paas.node.pools import btrfs_ioctls as ioctls
from paas.node.pools.interface import FINAL, PARTIAL, PoolError, Space
from paas.node.pools.swap import swap


class BtrfsPool:
    """A mounted btrfs file system as `zones`. `file` is the one it stands in, if it does."""

    driver = "btrfs"
    enforces_quotas = True

    def __init__(
        self,
        root: Path,
        file: Path | None = None,
        quota_kind: str = quotas.SIMPLE,
        *,
        opens: bool = True,
    ) -> None:
        """Not `opens`: for one that can't be written, whose users are to be cleared away."""
        self.root = root
        self._file = file
        self._secured: list[backing.Extent] = []
        self.quota_kind = quota_kind
        if not opens:
            return
        layout.prepare(root)
        self.quota_kind = quotas.enable(root, quota_kind)
        if self.quota_kind == quotas.SIMPLE:
            quotas.gather(root)

    def path(self, name: str) -> Path:
        return layout.dataset(self.root, name)

    def is_present(self) -> bool:
        return self.root.is_mount()

    def exists(self, name: str) -> bool:
        return ioctls.is_subvolume(self.path(name))

    def create(self, name: str) -> None:
        if not self.exists(name):
            ioctls.create_subvolume(self.path(name))

    def clone(self, source_name: str, target_name: str, quota_bytes: int | None = None) -> None:
        self.clone_snapshot(source_name, FINAL, target_name, quota_bytes)

    def clone_snapshot(
        self, source_name: str, snapshot: str, target_name: str, quota_bytes: int | None = None
    ) -> None:
        if self.exists(target_name):
            self.set_quota(target_name, quota_bytes)
            return
        source = layout.existing_snapshot(self.root, source_name, snapshot)
        partial = self.path(target_name.removesuffix(PARTIAL) + PARTIAL)
        self._clone(source, partial, quota_bytes)
        partial.rename(self.path(target_name))

    def snapshot(self, name: str, snapshot: str) -> None:
        target = layout.snapshot(self.root, name, snapshot)
        if target.exists():
            return
        dataset = layout.existing(self.root, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        ioctls.create_snapshot(dataset, target, read_only=True)

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        self._destroy_path(layout.snapshot(self.root, name, snapshot))

    def snapshots(self, name: str) -> list[str]:
        return layout.snapshot_names(self.root, name)

    def rename(self, old: str, new: str) -> None:
        layout.rename(self.root, old, new, self._destroy_snapshots)

    def destroy(self, name: str) -> None:
        self._destroy_path(self.path(name))
        self._destroy_snapshots(name)

    def promote(self, name: str) -> None:
        layout.existing(self.root, name)  # A clone shares blocks with its origin, and no fate.

    def rollback(self, name: str, snapshot: str, quota_bytes: int | None = None) -> None:
        source = layout.existing_snapshot(self.root, name, snapshot)
        dataset = layout.existing(self.root, name)
        partial = self.path(name + PARTIAL)
        self._clone(source, partial, quota_bytes)
        swap(partial, dataset)
        self._destroy_path(partial)

    def send(self, name: str, snapshot: str, target: IO[bytes]) -> None:
        streams.send_btrfs(layout.existing_snapshot(self.root, name, snapshot), target)

    def receive(self, name: str, source: IO[bytes], quota_bytes: int | None = None) -> None:
        partial = name + PARTIAL
        self.destroy(partial)
        folder = layout.begin_receiving(self.root, name)
        try:
            streams.receive_btrfs(folder, source)
            snapshot = folder / layout.received(self.root, name)
            self._clone(snapshot, self.path(partial), quota_bytes)
            self.rename(partial, name)
        except BaseException:
            self.destroy(partial)
            raise

    def set_quota(self, name: str, quota_bytes: int | None) -> None:
        quotas.limit(self.root, layout.existing(self.root, name), quota_bytes, self.quota_kind)

    def list(self) -> list[str]:
        return layout.names(self.root)

    def usage(self, name: str) -> int:
        return quotas.usage(layout.existing(self.root, name), self.quota_kind)

    def usages(self) -> dict[str, int]:
        if self.quota_kind == quotas.FULL:
            return {name: self.usage(name) for name in self.list()}
        return quotas.usages(self.root, self.list())

    def space(self) -> Space:
        pool = os.statvfs(self.root)
        size, free = pool.f_blocks * pool.f_frsize, pool.f_bavail * pool.f_frsize
        if self._file:
            below = os.statvfs(self._file.parent)
            free = min(free, below.f_bavail * below.f_frsize)
        return Space(size, free)

    def is_writable(self) -> bool:
        return not os.statvfs(self.root).f_flag & os.ST_RDONLY

    def hold_back(self, more_bytes: int) -> None:
        if self.quota_kind == quotas.SIMPLE:
            quotas.limit_all(self.root, more_bytes)

    def secure(self) -> None:
        if self._file is None:
            return
        extents = backing.metadata_extents(self.root)
        if extents != self._secured:
            backing.back(self._file, extents)
            self._secured = extents

    def settle(self) -> None:
        ioctls.commit(self.root)

    def tidy(self) -> None:
        quotas.forget(self.root)

    def sweep(self) -> Sequence[str]:
        done = layout.finish_renames(self.root)
        for name in layout.partial_names(self.root):
            self.destroy(name)
            done.append(f"removed the half-made dataset zones/{name}")
        for name in layout.orphan_names(self.root):
            self._destroy_snapshots(name)
            done.append(f"removed the snapshots of zones/{name}, which is gone")
        self.tidy()
        return done

    def _clone(self, source: Path, partial: Path, quota_bytes: int | None) -> None:
        self._destroy_path(partial)
        ioctls.create_snapshot(source, partial, read_only=False)
        if self.quota_kind == quotas.FULL:
            quotas.remember_base(partial)
        if quota_bytes is not None:
            quotas.limit(self.root, partial, quota_bytes, self.quota_kind)

    def _destroy_path(self, path: Path) -> None:
        if ioctls.is_subvolume(path):
            if ioctls.descendants(path):
                # They go inside the dataset, which a full quota would not allow.
                quotas.limit(self.root, path, None, self.quota_kind)
            ioctls.destroy_subvolume(path)
        elif path.exists():
            raise PoolError(f"{path} is no dataset", "Remove it by hand.")

    def _destroy_snapshots(self, name: str) -> None:
        folder = layout.snapshot_folder(self.root, name)
        for snapshot in layout.snapshot_names(self.root, name):
            self._destroy_path(folder / snapshot)
        if folder.is_dir():
            folder.rmdir()
