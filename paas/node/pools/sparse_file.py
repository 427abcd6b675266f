"""The file system under a btrfs pool: a sparse file (or a device), mounted for as long as the host
runs.

The file takes from the disk what the pool holds and gives it back when datasets go (discard). Its
size is what the pool may ever take: never so much that the disk below would be full first.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from paas.node.pools.interface import PoolError

_GIB = 1024**3
_SMALLEST_BYTES = 2 * _GIB
_OPTIONS = "nosuid,nodev,noatime,discard=async"
_TIMEOUT_S = 120


def open_file(file: Path, mount: Path, wanted_bytes: int, *, makes: bool = True) -> None:
    """`file`'s pool is mounted at `mount` afterwards: made, grown or found. Raises PoolError.

    Not `makes`: one that is not there is an error.
    """
    _prepare_folders(file.parent, mount)
    with _locked(file.parent / "pool.lock"):
        size_bytes = size_for(*_disk(file), wanted_bytes)
        if not file.exists():
            if not makes:
                raise PoolError(f"its file {file} is not there")
            check_size(size_bytes, wanted_bytes)
            _make(file, size_bytes)
        grows = size_bytes > file.stat().st_size
        if grows:
            os.truncate(file, size_bytes)
        if not is_mounted(mount):
            _mount_file(file, mount)
        elif grows:
            _grow(file, mount)


def open_device(device: Path, mount: Path, *, makes: bool = True) -> None:
    """The btrfs on a block device is mounted at `mount`; an empty device gets one if `makes`."""
    _prepare_folders(mount.parent, mount)
    with _locked(mount.parent / "pool.lock"):
        if is_mounted(mount):
            return
        found = _run(
            "blkid", "-p", "-o", "value", "-s", "TYPE", str(device), statuses=(0, 2)
        ).strip()
        if found not in {"", "btrfs"}:
            raise PoolError(
                f"{device} holds {found}, not a pool", f"Empty it yourself: wipefs --all {device}"
            )
        if not found:
            if not makes:
                raise PoolError(f"its device {device} is empty")
            _run("mkfs.btrfs", "--quiet", "--label", "zones", str(device))
        _mount(str(device), mount)


def close(mount: Path, file: Path | None = None) -> None:
    """Unmounted; the loop device goes with it. Repeated calls succeed."""
    while is_mounted(mount):
        _run("umount", str(mount))
    for device in _loop_devices(file) if file and file.exists() else ():
        _run("losetup", "--detach", device, statuses=(0, 1))


def is_held(file: Path) -> bool:
    """Whether the pool's loop device is there still: it goes with the last mount of the pool."""
    return bool(_loop_devices(file))


def size_for(allocated_bytes: int, free_bytes: int, disk_bytes: int, wanted_bytes: int) -> int:
    """The pool's size: what the disk can give (a tenth of it, at least 2 GiB, stays free), or less.

    All in bytes: `allocated` is what the file takes already.
    """
    able = allocated_bytes + free_bytes - max(2 * _GIB, disk_bytes // 10)
    size = min(able, wanted_bytes) if wanted_bytes else able
    return max(0, size) // 4096 * 4096


def check_size(size_bytes: int, wanted_bytes: int) -> None:
    """For a new pool only: one that exists is opened however full its disk became."""
    if size_bytes < min(_SMALLEST_BYTES, wanted_bytes or _SMALLEST_BYTES) // 4096 * 4096:
        raise PoolError(
            "the disk is nearly full: a pool needs 2 GiB beyond the reserve that stays free",
            "Free some space, or name another place with pool_device.",
        )


def is_mounted(mount: Path) -> bool:
    """Whether a btrfs stands at exactly that folder, in this mount namespace."""
    text = Path("/proc/self/mountinfo").read_text()
    fields = [line.split(" - ") for line in text.splitlines()]
    here = str(mount.resolve())
    return any(before.split()[4] == here and after.startswith("btrfs ") for before, after in fields)


def _prepare_folders(state: Path, mount: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    mount.mkdir(mode=0o700, parents=True, exist_ok=True)


def _disk(file: Path) -> tuple[int, int, int]:
    disk = os.statvfs(file.parent)
    allocated = file.stat().st_blocks * 512 if file.exists() else 0
    return allocated, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def _make(file: Path, size_bytes: int) -> None:
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    os.truncate(partial, size_bytes)
    # One copy of the metadata: both would stand on the same disk.
    _run("mkfs.btrfs", "--quiet", "--label", "zones", "--metadata", "single", str(partial))
    partial.rename(file)


def _mount_file(file: Path, mount: Path) -> None:
    with _device(file) as device:
        _run("losetup", "--set-capacity", device)
        _mount(device, mount)
        _run("btrfs", "filesystem", "resize", "max", str(mount))
        # A device in use is detached when its last mount goes: nobody has to remember it.
        _run("losetup", "--detach", device)


@contextmanager
def _device(file: Path) -> Iterator[str]:
    """A loop device of the file. One that is there may be about to go, with who has it open still
    (udev looks at every device that changes): so it is held until it is mounted.
    """
    for device in _loop_devices(file):
        with open(device, "rb", buffering=0):  # noqa: PTH123
            if device in _loop_devices(file):
                yield device
                return
    yield _attach(file)


def _attach(file: Path) -> str:
    hint = "Load the module `loop` (modprobe loop), or name a device or folder with pool_device."
    direct = ["losetup", "--find", "--show", "--direct-io=on", str(file)]
    return _run(*direct, hint=hint).strip()


def _mount(device: str, mount: Path) -> None:
    hint = "The kernel needs btrfs (modprobe btrfs); without it name a folder with pool_device."
    _run("mount", "-t", "btrfs", "-o", _OPTIONS, device, str(mount), hint=hint)


def _grow(file: Path, mount: Path) -> None:
    for device in _loop_devices(file):
        _run("losetup", "--set-capacity", device)
    _run("btrfs", "filesystem", "resize", "max", str(mount))


def _loop_devices(file: Path) -> list[str]:
    lines = _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(file))
    return lines.split()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str, hint: str = "", statuses: Sequence[int] = (0,)) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except FileNotFoundError as error:
        raise PoolError(f"{command[0]} is not installed", "Run script/bootstrap.") from error
    except subprocess.TimeoutExpired as error:
        raise PoolError(f"{' '.join(command)} took over {_TIMEOUT_S} s", hint) from error
    if done.returncode not in statuses:
        raise PoolError(f"{' '.join(command)} failed: {done.stderr.strip()}", hint)
    return done.stdout
