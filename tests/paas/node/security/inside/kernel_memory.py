"""Runs as a zone's first process: makes the kernel hold more and more, of the kind in its word."""

import ctypes
import fcntl
import os
import select
import sys
import time

MIB = 1 << 20
IPC_PRIVATE, MODE = 0, 0o1600
IPC_NOWAIT, F_SETPIPE_SZ = 0o4000, 1031
DESCRIPTORS = 5000
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
kept = []


def semaphores(number):
    return libc.semget(IPC_PRIVATE, 500, MODE)


def messages(number):
    queue = libc.msgget(IPC_PRIVATE, MODE)
    message = (ctypes.c_long * 1001)(1)
    while queue >= 0 and libc.msgsnd(queue, message, 8000, IPC_NOWAIT) == 0:
        pass
    return queue


def shared(number):
    place = libc.shmat(libc.shmget(IPC_PRIVATE, MIB, MODE), None, 0)
    ctypes.memset(place, 1, MIB)
    return 0


def pipes(number):
    _, writing = kept_pipe = os.pipe()
    kept.append(kept_pipe)
    fcntl.fcntl(writing, F_SETPIPE_SZ, MIB)
    os.set_blocking(writing, False)
    os.write(writing, bytes(MIB))
    return 0


def watches(number):
    if not kept:
        kept.extend(os.eventfd(0) for _ in range(DESCRIPTORS))
    if number % DESCRIPTORS == 0:
        kept.append(select.epoll())
    kept[-1].register(kept[number % DESCRIPTORS], select.EPOLLIN)
    return 0


def files(number):
    descriptor = os.memfd_create("held")
    os.posix_fallocate(descriptor, 0, MIB)
    kept.append(descriptor)
    return 0


action, number = globals()[sys.argv[1]], 0
while action(number) != -1:
    number += 1
print(f"{sys.argv[1]} end at {number}: {os.strerror(ctypes.get_errno())}", flush=True)
time.sleep(1000)
