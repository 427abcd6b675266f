"""Runs inside a zone: tries system calls, and says as JSON how each ended (an errno, or "done")."""

# System calls as they are, without pathlib between.
import ctypes
import errno
import json
import os
import signal
import socket

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

NUMBERS = {
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
    "setns": 308,
    "keyctl": 250,
    "add_key": 248,
    "request_key": 249,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "io_setup": 206,
    "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "memfd_secret": 447,
    "kexec_load": 246,
    "kexec_file_load": 320,
    "reboot": 169,
    "swapon": 167,
    "swapoff": 168,
    "settimeofday": 164,
    "clock_settime": 227,
    "clock_adjtime": 305,
    "adjtimex": 159,
    "open_by_handle_at": 304,
    "name_to_handle_at": 303,
    "init_module": 175,
    "finit_module": 313,
    "delete_module": 176,
    "syslog": 103,
    "quotactl": 179,
    "quotactl_fd": 443,
    "acct": 163,
    "iopl": 172,
    "ioperm": 173,
    "sethostname": 170,
    "setdomainname": 171,
    "fanotify_init": 300,
    "lookup_dcookie": 212,
    "move_pages": 279,
    "migrate_pages": 256,
    "mbind": 237,
    "set_mempolicy": 238,
    "pidfd_getfd": 438,
    "process_vm_writev": 311,
    "vhangup": 153,
    "nfsservctl": 180,
    "modify_ldt": 154,
    "uselib": 134,
    "clone3": 435,
}
NAMESPACES = {
    "mnt": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "time": 0x80,
}
FAMILIES = {
    "AF_AX25": 3,
    "AF_KEY": 15,
    "AF_PACKET": 17,
    "AF_RDS": 21,
    "AF_CAN": 29,
    "AF_TIPC": 30,
    "AF_BLUETOOTH": 31,
    "AF_ALG": 38,
    "AF_VSOCK": 40,
    "AF_QIPCRTR": 42,
    "AF_SMC": 43,
    "AF_XDP": 44,
}
SYS_UNSHARE, SYS_CLONE, SYS_CHROOT, SYS_PERSONALITY, SYS_SOCKETPAIR = 272, 56, 161, 135, 53
SYS_PTRACE, PTRACE_ATTACH, X32 = 101, 16, 0x40000000
ADDR_NO_RANDOMIZE, ANY_SPECIAL = 0x0040000, 0x02


def call(number, *words):
    values = [ctypes.c_long(word) if isinstance(word, int) else word for word in words]
    status = libc.syscall(ctypes.c_long(number), *values)
    return errno.errorcode[ctypes.get_errno()] if status == -1 else "done"


def clone(flag):
    ctypes.set_errno(0)
    pid = libc.syscall(ctypes.c_long(SYS_CLONE), ctypes.c_long(flag | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return errno.errorcode[ctypes.get_errno()] if pid == -1 else "done"


def open_socket(family, kind, protocol=0):
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def in_child(action):
    """How a child that does it ends: its own word, or the signal that killed it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, action().encode())
        os._exit(0)
    os.close(write)
    word = os.read(read, 100).decode()
    _, status = os.waitpid(pid, 0)
    return word or signal.Signals(os.WTERMSIG(status)).name


found = {name: call(number, 0, 0, 0, 0, 0) for name, number in NUMBERS.items()}
found |= {f"unshare {name}": call(SYS_UNSHARE, flag) for name, flag in NAMESPACES.items()}
found |= {f"clone {name}": clone(flag) for name, flag in NAMESPACES.items() if name != "time"}
found |= {
    f"{name} {kind.name}": open_socket(number, kind)
    for name, number in FAMILIES.items()
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
}
pair = (ctypes.c_int * 2)()
found["socketpair AF_TIPC"] = call(SYS_SOCKETPAIR, FAMILIES["AF_TIPC"], 1, 0, pair)
found["raw IPv4"] = open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
found["raw IPv6"] = open_socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
found["chroot"] = call(SYS_CHROOT, b"/tmp")
found["personality"] = call(SYS_PERSONALITY, ADDR_NO_RANDOMIZE)
found["ptrace of process 1"] = call(SYS_PTRACE, PTRACE_ATTACH, 1, 0, 0)
found["x32"] = in_child(lambda: call(X32 | 39))
print(json.dumps(found))
