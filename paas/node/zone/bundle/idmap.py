"""Clones of mounts whose files appear owned by a zone's uid range (mount_setattr(2), Linux ≥ 5.12).

On disk files carry zone-relative ids. A zone's user namespace maps them to a range of its own, so a
plain bind mount shows every file as `nobody`; a mapped clone shows them as the zone's own.
"""

import ctypes
import errno
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.errors import PlatformError

ID_COUNT = 65536

_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
_MOUNT_ATTR_IDMAP = 0x00100000

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


_kept: dict[int, int] = {}
_keeping = threading.Lock()
_KEPT_MAX = 64


@contextmanager
def user_namespace(first_id: int) -> Iterator[int]:
    """A descriptor of a user namespace that maps ids 0… to `first_id`…; for `mount_mapped`.

    The last ones are kept: a machine gets the lowest range that is free, so mostly one of these.
    """
    descriptor = _known(first_id)
    if descriptor is None:
        descriptor = _made(first_id)
        _keep(first_id, descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _known(first_id: int) -> int | None:
    with _keeping:
        return os.dup(_kept[first_id]) if first_id in _kept else None


def _keep(first_id: int, descriptor: int) -> None:
    with _keeping:
        if len(_kept) >= _KEPT_MAX:
            os.close(_kept.pop(next(iter(_kept))))
        if first_id not in _kept:
            _kept[first_id] = os.dup(descriptor)


def _made(first_id: int) -> int:
    """The namespace needs a process for a moment: util-linux's unshare, which then echoes a byte,
    so that the mapping is written neither too early nor into the wrong namespace.
    """
    process = subprocess.Popen(
        ["unshare", "--user", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    assert process.stdin and process.stdout
    try:
        process.stdin.write(b"x")
        if process.stdout.read(1) != b"x":
            raise PlatformError("user namespaces can't be made: unshare --user failed")
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{kind}").write_text(f"0 {first_id} {ID_COUNT}")
        return os.open(f"/proc/{process.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait(5)


def mount_mapped(
    source: Path, target: Path, namespace: int, *, attributes: int = MOUNT_ATTR_NODEV
) -> None:
    """Mount a clone of the tree at `source` on `target`, its ids mapped by `namespace`."""
    tree = _open_tree(source)
    try:
        wanted = _MountAttributes(attributes | _MOUNT_ATTR_IDMAP, 0, 0, namespace)
        _check(
            _libc.syscall(
                _SYS_MOUNT_SETATTR,
                tree,
                b"",
                _AT_EMPTY_PATH,
                ctypes.byref(wanted),
                ctypes.sizeof(wanted),
            ),
            f"map the ids of {source}",
        )
        target.mkdir(mode=0o711, parents=True, exist_ok=True)
        _move_mount(tree, target)
    finally:
        os.close(tree)


def is_mounted(target: Path) -> bool:
    """Whether `target` is where something is mounted, also of the file system that it lies on
    (which `Path.is_mount` can't tell). False when it is not there.
    """
    try:
        return _mount_id(target) != _mount_id(target.parent)
    except FileNotFoundError:
        return False


def _mount_id(path: Path) -> str:
    """proc(5): the mount that a descriptor belongs to."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        return next(line for line in lines if line.startswith("mnt_id:"))
    finally:
        os.close(descriptor)


def unmount(target: Path) -> None:
    """Detach whatever is mounted on `target`, be it several mounts; fine if nothing is."""
    for _ in range(16):
        if _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
            number = ctypes.get_errno()
            if number in (errno.EINVAL, errno.ENOENT):
                return
            raise OSError(number, f"can't unmount {target}: {os.strerror(number)}")


def _open_tree(source: Path) -> int:
    tree: int = _libc.syscall(
        _SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
    )
    return _check(tree, f"clone the mount of {source}")


def _move_mount(tree: int, target: Path) -> None:
    status = _libc.syscall(
        _SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
    )
    _check(status, f"mount on {target}")


def _check(status: int, action: str) -> int:
    if status < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"can't {action}: {os.strerror(number)}")
    return status
