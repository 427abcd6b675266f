"""The program that writes into a tree which a tenant wrote: alone in it, with nothing to lose.

It is started by `paas.node.machines.derive` as root, enters its cgroup, leaves the host's
namespaces and waits to be told where the tree is. A child of it is shut into the tree and
applies what comes on standard input; this process, which tells how that ended, only waits.
The end of an attempt that failed is a line on standard error: an error's number and a message.
"""

import os
import sys

from paas.node.images import confinement, differences

FAILED = 3
"""The exit status after a line with the reason."""
_PATH_BYTES_MAX = 4096


def main(arguments: list[str]) -> int:
    """Its exit status. `arguments`: parent, descriptor that will tell the root, folder in it, user
    and group, bytes, entries and seconds at most, files of cgroups to enter.
    """
    try:
        return _run(arguments)
    except Exception as error:
        # No traceback: printing one looks for source files, and the root is a stranger's by now.
        return _tell(error)


def _run(arguments: list[str]) -> int:
    parent, waiting, folder, user, size_bytes, entries, time_s, *entrances = arguments
    confinement.die_with(int(parent))
    for entrance in entrances:
        with open(entrance, "w") as file:  # noqa: PTH123
            file.write(str(os.getpid()))
    confinement.leave_host()
    confinement.end_after(int(time_s))
    root = os.read(int(waiting), _PATH_BYTES_MAX)
    os.close(int(waiting))
    if not root:
        return 0
    child = confinement.fork_dying_with_parent()
    if child:
        return _wait(child)
    confinement.enter(root, int(user), int(size_bytes))
    tree = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    differences.apply(0, tree, differences.Bounds(int(size_bytes), int(entries)))
    return 0


def _wait(child: int) -> int:
    """Its status."""
    os.close(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _tell(error: Exception) -> int:
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    text = str(error) or type(error).__name__
    os.write(2, f"{number} {ascii(text)[1:-1]:.500}\n".encode())
    return FAILED


def start() -> None:
    """For the command line."""
    os._exit(main(sys.argv[1:]))
