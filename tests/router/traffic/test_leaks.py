"""Nothing is left of requests, however they end: no descriptor, no memory, no count."""

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOTAL = 20_000
BATCH = 50


def _good(router: Any, host: bytes) -> None:
    """Fifty requests in one packet."""
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host * BATCH)
    for _ in range(BATCH):
        assert visitor.response().status == 200
    visitor.close()


def _unknown(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n" * BATCH)
    for _ in range(BATCH):
        assert visitor.response().status == 404
    visitor.close()


def _reset_while_waiting(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.get(host, b"/slow")
    visitor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visitor.close()


def _malformed(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert visitor.response().status == 400
    visitor.close()


def _half_a_body(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 99\r\n\r\npart" % host)
    visitor.close()


def _half_a_head(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.1\r\nHo")
    visitor.close()


def _garbage_from_the_app(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.get(host, b"/garbage")
    assert visitor.response().status == 503
    visitor.close()


def _cut_by_the_app(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.get(host, b"/cut")
    visitor.everything()
    visitor.close()


def _chunked(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.send(
        b"POST /chunked HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n" % host
    )
    assert visitor.response().body == b"hello"
    visitor.close()


def _upgraded(router: Any, host: bytes) -> None:
    visitor = router.visit()
    visitor.get(host, b"/upgrade", b"Connection: upgrade\r\nUpgrade: echo\r\n")
    assert visitor.response().status == 101
    visitor.close()


ENDS: list[Callable[[Any, bytes], None]] = [
    _unknown,
    _reset_while_waiting,
    _malformed,
    _half_a_body,
    _half_a_head,
    _garbage_from_the_app,
    _cut_by_the_app,
    _chunked,
    _upgraded,
]


def _script(talk: Any) -> None:
    while True:
        target = talk.request().split(b" ")[1]
        if target == b"/slow":
            talk.wait_for_close()
            return
        if target == b"/garbage":
            talk.send(b"nonsense\r\n\r\n")
        elif target == b"/cut":
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
            return
        elif target == b"/chunked":
            talk.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            )
        elif target == b"/upgrade":
            talk.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            talk.wait_for_close()
            return
        else:
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _round(router: Any, host: bytes) -> int:
    for _ in range(10):
        _good(router, host)
    for end in ENDS:
        end(router, host)
    return 11 * BATCH + len(ENDS) - 1


def _settled_descriptors(pid: int, at_most: int) -> int:
    end = time.monotonic() + 8
    while _descriptors(pid) > at_most and time.monotonic() < end:
        time.sleep(0.1)
    return _descriptors(pid)


def test_twenty_thousand_requests_leave_nothing_behind(router: Any, app: Any) -> None:
    app.script = _script
    (worker,) = router.worker_pids()
    done = 0
    while done < TOTAL // 4:
        done += _round(router, app.host)
    idle = _settled_descriptors(worker, 0)
    before_kib = _resident_kib(worker)
    while done < TOTAL:
        done += _round(router, app.host)
    assert _settled_descriptors(worker, idle) <= idle
    assert _resident_kib(worker) - before_kib < 2048
    counted = router.ask({"type": "status"})["apps"][app.id]
    assert counted["queued"] == 0
    router.publish({**app.entry, "instances": []})
    answer = router.ask({"type": "drain", "instance": app.entry["instances"][0]["id"]})
    assert answer["type"] == "drained"
