"""Runs in a zone: takes all it can of what the host has one supply of, and holds it.

Its word is `all` (as the first process: what it got stands in /app/held) or `some` (one of each,
how it ended as JSON).
"""

# System calls as they are, without pathlib between.
# ruff: noqa: PTH104, PTH123
import ctypes
import errno
import json
import os
import sys
import time

SIGEV_SIGNAL, CLOCK_MONOTONIC = 0, 1
MOST = 3000
libc = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("flags", "maxmsg", "msgsize", "current")] + [
        ("rest", ctypes.c_long * 4)
    ]


def inotify(number):
    return libc.inotify_init()


def queue(number):
    wanted = Attributes(0, 10, 8192, 0)
    name = f"/queue-{os.getpid()}-{number}".encode()
    return libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, ctypes.byref(wanted))


def terminal(number):
    try:
        return os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        ctypes.set_errno(error.errno)
        return -1


def timer(number):
    return libc.timer_create(CLOCK_MONOTONIC, None, ctypes.byref(ctypes.c_void_p()))


def locked(number):
    place = libc.mmap(None, 4096, 3, 0x22, -1, 0)
    return libc.mlock(ctypes.c_void_p(place), 4096)


def take(action, most):
    """How many there were, and why there were no more."""
    for number in range(most):
        if action(number) == -1:
            return number, errno.errorcode[ctypes.get_errno()]
    return most, "done"


libc.mmap.restype = ctypes.c_void_p
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
most = 1 if sys.argv[1] == "some" else MOST
held = {action.__name__: take(action, most) for action in (inotify, queue, terminal, timer, locked)}
if sys.argv[1] == "some":
    print(json.dumps(held))
else:
    with open("/app/held.new", "w") as file:
        json.dump(held, file)
    os.rename("/app/held.new", "/app/held")
    time.sleep(1000)
