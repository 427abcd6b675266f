"""Runs as a zone's first process: abuses the two descriptors of the fast path, then serves.

Its word says how: `touch` tries to change what they are, `flood` writes garbage without end,
`shutdown` ends the listener at its first boot. What it found is in /app/found. With `steal` and
`shutdown by a child` another process does it, when a file in /app says so.
"""

# System calls as they are, without pathlib between.
# ruff: noqa: PTH104, PTH108, PTH110, PTH123, PTH208
import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import time

LISTENER, REPORTS = 3, 4
AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = 0x1000, 0x400
libc = ctypes.CDLL(None, use_errno=True)


def attempt(action, *words):
    try:
        status = action(*words)
    except OSError as error:
        return errno.errorcode[error.errno]
    if status == -1:
        return errno.errorcode[ctypes.get_errno()]
    return "done"


def touch():
    listener = socket.socket(fileno=LISTENER)
    place = f"/proc/self/fd/{REPORTS}"
    found = {
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "chmod reports": attempt(os.fchmod, REPORTS, 0o666),
        "chown reports": attempt(os.fchown, REPORTS, 1000, 1000),
        "chown listener": attempt(os.fchown, LISTENER, 1000, 1000),
        "reopen reports": attempt(os.open, place, os.O_RDWR | os.O_NONBLOCK),
        "link reports": attempt(libc.linkat, -100, place.encode(), -100, b"/app/x", 0x400),
        "link listener": attempt(libc.linkat, LISTENER, b"", -100, b"/app/y", AT_EMPTY_PATH),
        "reopen listener": attempt(os.open, f"/proc/self/fd/{LISTENER}", os.O_RDWR),
        "bind listener": attempt(listener.bind, "/app/other.sock"),
        "connect listener": attempt(listener.connect, "/app/other.sock"),
        "unlink": attempt(os.unlink, listener.getsockname()),
        "xattr": attempt(os.setxattr, REPORTS, "user.x", b"1"),
    }
    # What it may do with its own copies harms nobody but itself.
    attempt(listener.listen, 0)
    attempt(fcntl.fcntl, REPORTS, fcntl.F_SETPIPE_SZ, 1 << 20)
    attempt(fcntl.fcntl, REPORTS, fcntl.F_SETFL, 0)
    listener.detach()
    return found


def flood():
    os.set_blocking(REPORTS, True)
    pieces = [
        b'{"type":"listening"}\n' * 400,
        b"x" * 60000 + b"\n",
        b"[" * 30000 + b"\n",
        bytes(range(256)) * 200,
        b'{"type":"measures","heap_bytes":1e999,"delay_ms":' + b"9" * 400 + b"}\n",
        b"\n" * 60000,
    ]
    while True:
        for piece in pieces:
            os.write(REPORTS, piece)


def serve():
    os.write(REPORTS, b'{"type":"listening"}\n')
    listener = socket.socket(fileno=LISTENER)
    listener.setblocking(True)
    listener.listen(100)
    while True:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
        )
        connection.close()


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.02)


def steal():
    """Another process of the zone accepts as well, and answers nobody."""
    wait_for("/app/steal")
    held = []
    listener = socket.socket(fileno=LISTENER)
    while True:
        held.append(listener.accept()[0])
        with open("/app/stolen.new", "w") as file:
            file.write(str(len(held)))
        os.rename("/app/stolen.new", "/app/stolen")


def shut_down_later():
    wait_for("/app/shutdown")
    os.unlink("/app/shutdown")
    socket.socket(fileno=LISTENER).shutdown(socket.SHUT_RDWR)
    os._exit(0)


how = sys.argv[1]
for action in {"steal": [steal], "shutdown by a child": [shut_down_later]}.get(how, []):
    if os.fork() == 0:
        action()
if how == "flood":
    flood()
if how == "touch":
    found = touch()
    with open("/app/found", "w") as file:
        json.dump(found, file)
if how == "shutdown" and not os.path.exists("/app/found"):
    with open("/app/found", "w") as file:
        file.write("{}")
    socket.socket(fileno=LISTENER).shutdown(socket.SHUT_RDWR)
    signal.pause()
serve()
