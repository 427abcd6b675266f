"""Processes of zones that lost their parent: supervisor and node take them in and collect them.

A zone can't end before each process that entered it from outside is collected
(pid_namespaces(7)), and the first process of a host may be no init: in a container it seldom is.
Other children are collected by who started them, never here.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
"""prctl(2): orphans below this process become its children, not those of process 1."""


def take_in() -> None:
    """Collect the zones' orphans from now on, in the running event loop."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, collect)


def collect() -> None:
    """Collect the orphans that have ended.

    waitid(2) shows one ended child at a time: one that its starter is about to collect hides what
    is behind it. Only then all children are looked through.
    """
    while (pid := _ended_child()) and _is_of_a_zone(pid):
        _collect(pid)
    if pid:
        for child in _children():
            if _is_of_a_zone(child):
                _collect(child)


def _ended_child() -> int:
    """Some child that has ended, left as it is; 0 when there is none."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return ended.si_pid if ended else 0


def _collect(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _children() -> list[int]:
    found: list[int] = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in file.read_text().split()]
    return found


def _is_of_a_zone(pid: int) -> bool:
    """A process in a pid namespace below ours, or a zone's conmon, which has none of its own.

    What an ended process still tells (proc(5)): not its cgroup, where that is version 1.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return len(told.get("NSpid", "").split()) > 1 or told.get("Name", "").strip() == "conmon"
