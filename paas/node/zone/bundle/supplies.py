"""What the whole host has one small supply of, so that no zone can use up its neighbours' part.

The kernel counts some things of a zone also against the user who made its user namespace, for all
zones together: inotify instances and watches, locked memory, message queues, queued signals. With
the defaults one zone takes the last of them (128 inotify instances). What a zone may have is
bounded by its own limits (`oci`) and its memory, which pays for them; so the sums are opened
here, at the node's start, for what the node starts from then on. The same goes for process numbers
and open files, of which some kernels have few by default (systemd raises both, where it runs), and
for closed connections whose data still waits: above their sum the host resets everybody's.
"""

import logging
import resource
from pathlib import Path

log = logging.getLogger(__name__)
_SYSCTLS = {
    "fs/inotify/max_user_instances": 1 << 20,
    "fs/inotify/max_user_watches": 1 << 22,
    "fs/file-max": 1 << 40,
    "kernel/pid_max": 1 << 22,
    "net/ipv4/tcp_max_orphans": 1 << 20,
}
_RLIMIT_MSGQUEUE, _RLIMIT_SIGPENDING = 12, 11
_SUMS = (
    resource.RLIMIT_NPROC,
    resource.RLIMIT_MEMLOCK,
    _RLIMIT_SIGPENDING,
    _RLIMIT_MSGQUEUE,
)


def open_sums(proc: Path = Path("/proc/sys")) -> None:
    """Raise what is lower, never lower what is higher. A host that allows it not goes on as it is.

    A user namespace has the limits of the process that made it as its sum (user_namespaces(7)).
    """
    for name, least in _SYSCTLS.items():
        file = proc / name
        try:
            if int(file.read_text()) < least:
                file.write_text(str(least))
        except (OSError, ValueError) as error:
            log.warning("%s can't be raised, and one machine can use it up: %s", file, error)
    try:
        for number in _SUMS:
            resource.setrlimit(number, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        # A host that is a container itself. A machine's part is small, so it takes many to do harm.
        log.info("no CAP_SYS_RESOURCE: locked memory and queues of all machines share one sum")
