"""The system calls a zone may make: an allow-list, as Docker's, but with no way to new namespaces.

What is not listed answers EPERM; what programs probe and can do without answers ENOSYS, so that
they fall back (glibc from clone3 to clone, libuv from io_uring to its threads, databases from the
old asynchronous I/O, of which the whole host has one small supply: fs.aio-max-nr). Calls of another
word size (32-bit programs) are refused as a whole. Not listed on purpose:
bpf, keyctl and keys, io_uring, userfaultfd, perf_event_open, mount and its family, setns, unshare,
pivot_root, swapon, reboot, kernel modules, quotactl, open_by_handle_at, clock setting, fanotify.

Of ioctl what is of btrfs' own type is left out: everybody may make subvolumes with it, each of
which takes one of the million device numbers of the whole host, and clone extents.
"""

import platform
from collections.abc import Sequence
from typing import Any

_EPERM = 1
_WHOLE = 0xFFFFFFFFFFFFFFFF
_ENOSYS = 38
# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} and NEWTIME: no new namespaces (clone(2)).
_CLONE_NEW_FLAGS = 0x7E020080
# Unix, IPv4, IPv6, netlink (interface lists): no AF_ALG, AF_PACKET, AF_VSOCK and what comes next.
_AF_UNIX = 1
_SOCKET_FAMILIES = (_AF_UNIX, 2, 10, 16)

_FILES = """
access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown
fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat
fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64
getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown lchown32
lgetxattr link linkat listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir
mkdirat mknod mknodat newfstatat
_newselect open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile sendfile64
setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee
truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write
writev
"""
_MEMORY = """
brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal
msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise remap_file_pages
get_mempolicy
"""
_PROCESSES = """
alarm arch_prctl capget capset clone execve execveat exit exit_group fork getcpu getegid getegid32
geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp getpid getppid
getpriority getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid
gettid getuid getuid32 get_thread_area ioprio_get ioprio_set kcmp kill landlock_add_rule
landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64
process_mrelease restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32
setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid set_thread_area
set_tid_address setuid setuid32 sigaltstack signalfd signalfd4 sigprocmask sigreturn sysinfo tgkill
times tkill uname ugetrlimit vfork wait4 waitid waitpid ptrace process_vm_readv
"""
_WAITING = """
clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv
futex_wake getrandom gettimeofday nanosleep poll ppoll ppoll_time64 pselect6 pselect6_time64 select
time timer_create timer_delete timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
timerfd_settime64 timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
"""
_MESSAGES = """
accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify
mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl
msgget msgrcv msgsnd recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop
semtimedop_time64 send sendmmsg sendmsg sendto shmat shmctl shmdt shmget shutdown
"""
_ABSENT = """
clone3 io_uring_setup io_uring_enter io_uring_register
io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
"""
_SOL_SOCKET, _SO_LINGER = 1, 13
_OTHER_LEVELS = (0, 6, 17, 41, 58, 132, 136, 255, 263, 270, 282, 284)
"""IP, TCP, UDP, IPv6, ICMPv6, SCTP, UDP-Lite, raw, packet, netlink, TLS, MPTCP."""
_AFTER_LINGER = ((14, ~1), (16, ~15), (32, ~31), (64, ~63))
"""The options from 14 to 127, as what is left of their numbers under masks."""
_IOCTL_TYPE_BITS = range(8, 16)
"""Of a request's number (ioctl(2)): the byte that says whose it is."""
_BTRFS_TYPE = 0x94
"""Also of FICLONE, FICLONERANGE and FIDEDUPERANGE, whatever the file system."""
_EOPNOTSUPP = 95
"""What a file system without clones answers: cp, Node.js and package managers copy then."""
_BY_CAPABILITY = {"CAP_SYS_CHROOT": ["chroot"]}
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64"],
    "aarch64": ["SCMP_ARCH_AARCH64"],
}


def profile(
    machine: str = platform.machine(), capabilities: Sequence[str] = (), *, lingers: bool = True
) -> dict[str, Any]:
    """`linux.seccomp` of an OCI configuration for zones of this architecture.

    `capabilities` are the zone's: some calls are listed only for who has theirs, as with Docker.
    Without `lingers` SO_LINGER does nothing, as if it had been set: see `router.wire.dial`.
    """
    allowed = " ".join((_FILES, _MEMORY, _PROCESSES, _WAITING, _MESSAGES)).split()
    allowed.remove("clone")
    for capability in capabilities:
        allowed += _BY_CAPABILITY.get(capability, [])
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": _ARCHITECTURES.get(machine, []),
        "syscalls": [
            {"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"},
            _allow_when("clone", 0, "SCMP_CMP_MASKED_EQ", _CLONE_NEW_FLAGS, 0),
            *(_allow_when("socket", 0, "SCMP_CMP_EQ", family) for family in _SOCKET_FAMILIES),
            _allow_when("socketpair", 0, "SCMP_CMP_EQ", _AF_UNIX),
            *_socket_options(lingers),
            *_ioctls(),
            *(
                _allow_when("personality", 0, "SCMP_CMP_EQ", persona)
                for persona in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
            ),
            {"names": _ABSENT.split(), "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        ],
    }


def _ioctls() -> list[dict[str, Any]]:
    """Allowed is what differs from btrfs' type in any bit; the kernel looks at no higher bits."""
    wanted = _BTRFS_TYPE << _IOCTL_TYPE_BITS.start
    whole = sum(1 << bit for bit in _IOCTL_TYPE_BITS)
    own = {"index": 1, "value": whole, "valueTwo": wanted, "op": "SCMP_CMP_MASKED_EQ"}
    refused = {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EOPNOTSUPP}
    return [
        *(
            _allow_when("ioctl", 1, "SCMP_CMP_MASKED_EQ", 1 << bit, ~wanted & (1 << bit))
            for bit in _IOCTL_TYPE_BITS
        ),
        {**refused, "args": [own]},
    ]


def _socket_options(lingers: bool) -> list[dict[str, Any]]:
    """The kernel looks at the lower half of these arguments alone: so what is allowed is said, as
    whole numbers, and never what is not.
    """
    if lingers:
        return [{"names": ["setsockopt"], "action": "SCMP_ACT_ALLOW"}]
    own_level = {"index": 1, "value": _SOL_SOCKET, "op": "SCMP_CMP_EQ"}
    others = [{"index": 2, "value": _SO_LINGER, "op": "SCMP_CMP_LT"}]
    for bits, mask in _AFTER_LINGER:
        condition = {"index": 2, "value": mask & _WHOLE, "valueTwo": bits}
        others.append({**condition, "op": "SCMP_CMP_MASKED_EQ"})
    linger = {"index": 2, "value": _SO_LINGER, "op": "SCMP_CMP_EQ"}
    return [
        *(_allow_when("setsockopt", 1, "SCMP_CMP_EQ", level) for level in _OTHER_LEVELS),
        *(
            {"names": ["setsockopt"], "action": "SCMP_ACT_ALLOW", "args": [own_level, other]}
            for other in others
        ),
        {
            "names": ["setsockopt"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 0,
            "args": [own_level, linger],
        },
    ]


def _allow_when(
    name: str, index: int, operator: str, value: int, value_two: int = 0
) -> dict[str, Any]:
    condition = {"index": index, "value": value, "valueTwo": value_two, "op": operator}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [condition]}
