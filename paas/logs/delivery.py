"""Brings lines to a drain: in a thread of its own, so that nobody waits for its receiver.

A batch is sent until it is taken, with pauses that grow; meanwhile the buffer fills and drops. What
was sent over a connection that broke is sent again: a receiver may get lines twice. A receiver of
HTTPS knows them by their `Logplex-Frame-Id`.
"""

import contextlib
import select
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from paas.logs import framing
from paas.logs.buffer import Batch, Buffer
from paas.system import outgoing

CONNECT_S = 10.0
SEND_S = 30.0
"""A receiver that takes no batch in so long is as good as gone."""
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
REFUSALS_MAX = 3
"""So often a batch is brought to who answers that it is wrong (HTTP 4xx)."""
BATCH_LINES_MAX = 1_000
BATCH_CHARACTERS_MAX = {"https": 512 * 1024, "http": 512 * 1024}
_TCP_CHARACTERS_MAX = 64 * 1024
PORTS = {"syslog": 514, "syslog+tls": 6514}
_LATER = (408, 425, 429)
_ANSWER_BYTES_MAX = 64 * 1024


class Status(NamedTuple):
    """`failure` is why it does not go on now, or empty; `seen_ns` is the time of the newest line
    that was taken."""

    delivered: int
    dropped: int
    waiting: int
    failure: str
    seen_ns: int


@dataclass(frozen=True)
class Target:
    """`private`: the operator lets drains lead to addresses of the host's own networks."""

    url: str
    token: str
    private: bool = False


class _Refused(Exception):
    """The receiver will not take this batch."""


class Delivery:
    def __init__(self, target: Target, seen_ns: int, buffer: Buffer | None = None) -> None:
        self.target = target
        self.buffer = buffer or Buffer()
        self._delivered, self._failure, self._seen_ns = 0, "", seen_ns
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None
        self._scheme = urlsplit(target.url).scheme
        name = f"drain {target.token}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for the end of what is being sent."""
        self._stopped.set()
        self.buffer.close()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def status(self) -> Status:
        waiting, dropped = len(self.buffer), self.buffer.dropped
        return Status(self._delivered, dropped, waiting, self._failure, self._seen_ns)

    def _run(self) -> None:
        most = BATCH_CHARACTERS_MAX.get(self._scheme, _TCP_CHARACTERS_MAX)
        try:
            while batch := self.buffer.take(BATCH_LINES_MAX, most):
                self._bring(batch)
        finally:
            self._close()

    def _bring(self, batch: Batch) -> None:
        frame_id, refusals, failures = str(uuid.uuid4()), 0, 0
        while not self._stopped.is_set():
            try:
                self._send(batch, frame_id)
            except _Refused as refused:
                refusals, self._failure = refusals + 1, str(refused)
                if refusals == REFUSALS_MAX:
                    self.buffer.lose(batch)
                    return
            except (OSError, outgoing.Refused) as error:
                self._close()
                self._failure = str(error) or type(error).__name__
            else:
                self._failure = ""
                self._delivered += len(batch.lines)
                self._seen_ns = max(self._seen_ns, batch.lines[-1].time_ns)
                return
            self._stopped.wait(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
            failures += 1

    def _send(self, batch: Batch, frame_id: str) -> None:
        lines = batch.lines
        if batch.dropped:
            said = framing.overflow(time.time_ns(), batch.dropped, batch.since_ns)
            lines = (said, *lines)
        if self._scheme in PORTS:
            self._write(b"".join(framing.syslog(line, self.target.token) for line in lines))
        else:
            self._post(b"".join(map(framing.logplex, lines)), len(lines), frame_id)

    def _post(self, body: bytes, count: int, frame_id: str) -> None:
        headers = {
            "Content-Type": "application/logplex-1",
            "Logplex-Msg-Count": str(count),
            "Logplex-Frame-Id": frame_id,
            "Logplex-Drain-Token": self.target.token,
        }
        request = outgoing.Request(self.target.url, "POST", headers, body, self._stopped)
        limits = outgoing.Limits(_ANSWER_BYTES_MAX, SEND_S, self.target.private)
        status = outgoing.ask(request, limits).status
        if 400 <= status < 500 and status not in _LATER:
            raise _Refused(f"the receiver answers {status}")
        if not 200 <= status < 300:
            raise outgoing.Refused(f"the receiver answers {status}")

    def _write(self, data: bytes) -> None:
        if self._socket is None or _is_closed(self._socket):
            self._close()
            self._socket = self._connected()
        self._socket.settimeout(SEND_S)
        self._socket.sendall(data)

    def _connected(self) -> socket.socket:
        parts = urlsplit(self.target.url)
        host, port = parts.hostname or "", parts.port or PORTS[self._scheme]
        limits = outgoing.Limits(0, CONNECT_S, self.target.private)
        raw = outgoing.connect(host, port, limits)
        if self._scheme == "syslog":
            return raw
        try:
            return ssl.create_default_context().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_closed(connection: socket.socket) -> bool:
    """Whether the receiver has hung up. It has nothing to say; TLS may have, for itself."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    connection.settimeout(0)
    try:
        return not connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
