"""The pool driver on a plain folder: for disks that can't be given a file system of their own.

A clone copies (sharing blocks where the file system below can), so it costs time by the number of
files. Quotas can't be kept; a call that asks for one is refused rather than ignored.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from paas.node.pools import layout, streams
from paas.node.pools.interface import FINAL, PARTIAL, PoolError, Space
from paas.node.pools.swap import swap

_COPY_TIMEOUT_S = 600


class DirPool:
    """A folder as `zones`."""

    driver = "dir"
    enforces_quotas = False

    def __init__(self, root: Path) -> None:
        self.root = root
        layout.prepare(root)

    def path(self, name: str) -> Path:
        return layout.dataset(self.root, name)

    def is_present(self) -> bool:
        return (self.root / ".snapshots").is_dir()

    def exists(self, name: str) -> bool:
        return self.path(name).is_dir()

    def create(self, name: str) -> None:
        self.path(name).mkdir(mode=0o755, exist_ok=True)

    def clone(self, source_name: str, target_name: str, quota_bytes: int | None = None) -> None:
        self.clone_snapshot(source_name, FINAL, target_name, quota_bytes)

    def clone_snapshot(
        self, source_name: str, snapshot: str, target_name: str, quota_bytes: int | None = None
    ) -> None:
        _refuse_quota(target_name, quota_bytes)
        if not self.exists(target_name):
            source = layout.existing_snapshot(self.root, source_name, snapshot)
            partial = self.path(target_name.removesuffix(PARTIAL) + PARTIAL)
            _copy(source, partial, self.path(target_name))

    def snapshot(self, name: str, snapshot: str) -> None:
        target = layout.snapshot(self.root, name, snapshot)
        if target.is_dir():
            return
        dataset = layout.existing(self.root, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        # Not in the snapshots' folder: half of a copy must never be taken for a snapshot.
        _copy(dataset, self.path(f"{name.removesuffix(PARTIAL)}_snapshot{PARTIAL}"), target)

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        _remove(layout.snapshot(self.root, name, snapshot))

    def snapshots(self, name: str) -> list[str]:
        return layout.snapshot_names(self.root, name)

    def rename(self, old: str, new: str) -> None:
        layout.rename(self.root, old, new, self._destroy_snapshots)

    def destroy(self, name: str) -> None:
        dataset = self.path(name)
        partial = self.path(name.removesuffix(PARTIAL) + PARTIAL)
        if dataset.is_dir() and dataset != partial:
            # Removing takes time, and half a dataset must not look like a whole one meanwhile.
            _remove(partial)
            dataset.rename(partial)
        _remove(partial)
        self._destroy_snapshots(name)

    def promote(self, name: str) -> None:
        layout.existing(self.root, name)

    def rollback(self, name: str, snapshot: str, quota_bytes: int | None = None) -> None:
        _refuse_quota(name, quota_bytes)
        source = layout.existing_snapshot(self.root, name, snapshot)
        dataset = layout.existing(self.root, name)
        copy, partial = self.path(f"{name}_rollback{PARTIAL}"), self.path(name + PARTIAL)
        _remove(partial)
        _copy(source, copy, partial)
        swap(partial, dataset)
        _remove(partial)

    def send(self, name: str, snapshot: str, target: IO[bytes]) -> None:
        streams.send_folder(layout.existing_snapshot(self.root, name, snapshot), target)

    def receive(self, name: str, source: IO[bytes], quota_bytes: int | None = None) -> None:
        _refuse_quota(name, quota_bytes)
        partial = name + PARTIAL
        self.destroy(partial)
        folder = layout.begin_receiving(self.root, name)
        try:
            streams.receive_folder(folder, source)
            snapshot = folder / layout.received(self.root, name)
            _copy(snapshot, self.path(f"{name}_received{PARTIAL}"), self.path(partial))
            self.rename(partial, name)
        except BaseException:
            self.destroy(partial)
            raise

    def set_quota(self, name: str, quota_bytes: int | None) -> None:
        layout.existing(self.root, name)
        _refuse_quota(name, quota_bytes)

    def list(self) -> "list[str]":
        return layout.names(self.root)

    def usage(self, name: str) -> int:
        """Counted file by file."""
        total = 0
        for folder, _, files in os.walk(layout.existing(self.root, name)):
            total += sum(os.lstat(Path(folder) / file).st_blocks * 512 for file in files)
        return total

    def usages(self) -> dict[str, int]:
        return {name: self.usage(name) for name in self.list()}

    def space(self) -> Space:
        disk = os.statvfs(self.root)
        return Space(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)

    def is_writable(self) -> bool:
        return not os.statvfs(self.root).f_flag & os.ST_RDONLY

    def hold_back(self, more_bytes: int) -> None:
        """A folder can't."""

    def secure(self) -> None:
        """It stands on its disk already."""

    def settle(self) -> None:
        """Whose folder it is keeps its own time."""

    def tidy(self) -> None:
        """A folder keeps no books."""

    def sweep(self) -> Sequence[str]:
        done = layout.finish_renames(self.root)
        for name in layout.partial_names(self.root):
            self.destroy(name)
            done.append(f"removed the half-made dataset zones/{name}")
        for name in layout.orphan_names(self.root):
            self._destroy_snapshots(name)
            done.append(f"removed the snapshots of zones/{name}, which is gone")
        return done

    def _destroy_snapshots(self, name: str) -> None:
        _remove(layout.snapshot_folder(self.root, name))


def _refuse_quota(name: str, quota_bytes: int | None) -> None:
    if quota_bytes is not None:
        raise PoolError(
            f"zones/{name} can't have a quota: this pool is a plain folder",
            "Ask for no quota, or give the pool a btrfs file or device.",
        )


def _copy(source: Path, partial: Path, target: Path) -> None:
    _remove(partial)
    command = ["cp", "-a", "--reflink=auto", "--", str(source), str(partial)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_COPY_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        _remove(partial)
        raise PoolError(f"copying {source} failed: {error.stderr.decode().strip()}") from error
    partial.rename(target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
