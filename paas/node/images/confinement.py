"""Shuts this process into one folder, for good: whatever goes wrong in it stays there.

Afterwards it has its own mounts (the folder alone, as `/`), network, IPC, host name and processes,
the ids of a plain user, no capability and no way to get one, and limits. It dies with its parent.
A push waits until this is loaded, so it takes of the standard library only what loads at once.
"""

import ctypes
import os
import resource
import select
import sys

_NEW_MOUNTS, _NEW_NAMES, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_PROCESSES, _NEW_NETWORK, _NEW_CGROUPS = 0x20000000, 0x40000000, 0x02000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 2, 4, 8, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_SIGKILL = 9
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITIES_MAX = 64
_OF_AN_OWNER = (0, 1, 3, 4)
"""CHOWN, DAC_OVERRIDE, FOWNER, FSETID."""
_DATA_BYTES = 384 * 1024**2
_CPU_S = 600
_FILES_OPEN = 4200
"""More than a path of 4096 bytes has folders."""

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """From now on the end of the parent is this process's end; it may have been already."""
    _die_with_parent()
    if os.getppid() != parent:
        sys.exit("the process that wanted this has ended")


def end_after(time_s: int) -> None:
    """This process ends when so much time is over, whatever it does (SIGALRM)."""
    _libc.alarm(time_s)


def fork_dying_with_parent() -> int:
    """As fork(2). Also the child of a parent that ends in the meantime ends."""
    parent = os.pidfd_open(os.getpid())
    child = os.fork()
    if not child:
        _die_with_parent()
        if select.select([parent], [], [], 0)[0]:
            os._exit(1)
    os.close(parent)
    return child


def leave_host() -> None:
    """Namespaces of its own, for this process (but for processes) and its children."""
    kinds = _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK | _NEW_CGROUPS
    _check(_libc.unshare(kinds), "leave the host's namespaces")
    _mount(None, b"/", _MS_REC | _MS_PRIVATE)


def enter(root: bytes, user: int, file_bytes: int) -> None:
    """Make the folder the root, and give everything else up. For a child of who left the host."""
    _enter_root(root)
    _limit(file_bytes)
    os.closerange(3, _FILES_OPEN)
    os.umask(0o022)
    _give_up_privileges(user)


def enter_as_owner(root: bytes, file_bytes: int) -> None:
    """The same for who gives files to any user: it stays root, and can do that and no more."""
    _enter_root(root)
    _limit(file_bytes)
    os.closerange(3, _FILES_OPEN)
    os.umask(0)
    _keep_only(_OF_AN_OWNER)


def _enter_root(root: bytes) -> None:
    _mount(root, root, _MS_BIND)
    _mount(None, root, _MS_REMOUNT | _MS_BIND | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    os.chdir(root)
    # The old root is mounted over the new one, and taken away from there.
    _check(_libc.pivot_root(b".", b"."), "change the root")
    _check(_libc.umount2(b".", _MNT_DETACH), "unmount the host")
    os.chdir("/")


def _limit(file_bytes: int) -> None:
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, _DATA_BYTES),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_NOFILE, _FILES_OPEN),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _keep_only(capabilities: tuple[int, ...]) -> None:
    for capability in range(_CAPABILITIES_MAX):
        if capability not in capabilities:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    kept = sum(1 << capability for capability in capabilities)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    _check(_libc.capset(header, data), "give up most capabilities")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "be no one's to look into")


def _give_up_privileges(user: int) -> None:
    for capability in range(_CAPABILITIES_MAX):
        # EINVAL: the kernel knows no more of them.
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "give up all capabilities")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "be no one's to look into")
    # The kernel has forgotten it with the change of ids.
    _die_with_parent()


def _die_with_parent() -> None:
    _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "die with the parent")


def _mount(source: bytes | None, target: bytes, flags: int) -> None:
    _check(_libc.mount(source, target, None, ctypes.c_ulong(flags), None), f"mount {target!r}")


def _check(status: int, action: str) -> None:
    if status < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"can't {action}: {os.strerror(number)}")
