"""`python -m gitserver.jobserver FD`: the warm process that forks a child for each job.

It has one thread, so that forking is safe, and holds nothing of a tenant's. A child gets limits of
memory, processor and wall time before it reads a byte, and ends when its socket does.
"""

import gc
import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from gitserver.faults import Fault
from gitserver.jobs import FAILURE, HEADER, OUTPUT, RESULT
from gitserver.objects import archive
from gitserver.objects.checking import check
from gitserver.objects.grafting import graft
from gitserver.objects.tidying import tidy
from gitserver.sending import send_pack

Write = Callable[[bytes], None]
JOBS: dict[str, Callable[[dict[str, Any], bytes, Write], Any]] = {
    "archive": archive.store,
    "check": check,
    "fetch": send_pack,
    "graft": graft,
    "tidy": tidy,
}


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What is imported is shared with the children for ever: no collection shall touch its pages.
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, 1, 1)
        if not message:
            return
        for descriptor in descriptors:
            if os.fork() == 0:
                line.close()
                _child(socket.socket(fileno=descriptor))
            os.close(descriptor)


def _child(connection: socket.socket) -> None:
    """One job, from request to result; never returns."""
    try:
        request = json.loads(_receive(connection))
        payload = _receive(connection)
        _limit(request)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        _answer(connection, request, payload)
    except BrokenPipeError:
        pass
    except Exception:
        # Standard error is the server's: the operator's log has the defect.
        traceback.print_exc()
    finally:
        os._exit(0)


def _answer(connection: socket.socket, request: dict[str, Any], payload: bytes) -> None:
    def write(data: bytes) -> None:
        connection.sendall(HEADER.pack(OUTPUT, len(data)) + data)

    try:
        result = JOBS[request["job"]](request, payload, write)
        kind, body = RESULT, json.dumps(result).encode()
    except Fault as fault:
        kind, body = FAILURE, str(fault).encode("utf-8", "replace")
    except MemoryError:
        mib = request["memory_bytes"] // 1024 // 1024
        kind, body = FAILURE, f"needs more than {mib} MiB of memory to check".encode()
    connection.sendall(HEADER.pack(kind, len(body)) + body)


def _limit(request: dict[str, Any]) -> None:
    # RLIMIT_DATA counts private memory only: packs are mapped, and may be larger than it.
    resource.setrlimit(resource.RLIMIT_DATA, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(request["wall_s"])
    os.nice(5)


def _end_with(connection: socket.socket) -> None:
    """The caller sends nothing after the request: what can be read here is its end."""
    connection.recv(1)
    os._exit(1)


def _receive(connection: socket.socket) -> bytes:
    _, length = HEADER.unpack(_exactly(connection, HEADER.size))
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1024 * 1024))
        if not part:
            os._exit(1)
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    main()
