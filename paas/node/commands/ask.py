"""Asks the node and waits for its answer: for commands, which do one thing and end.

`paas.node.client` does the same for who has more to do meanwhile; its event loop takes half of the
time that `vmadm list` needs.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paas.node import protocol
from paas.node.errors import NodeError
from router.wire import frames

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 600.0
"""A verb waits for others of the same machine, each of which has limits of its own."""
_CHUNK_BYTES = 256 * 1024


class Node:
    """The node behind `path`. Every method raises NodeError; `Unavailable` when none answers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(
        self,
        verb: str,
        *,
        patience_s: float = 0.0,
        descriptors: Sequence[int] = (),
        **arguments: Any,
    ) -> Any:
        """The verb's result. `patience_s` is what the verb itself was told to wait."""
        request = protocol.request(verb, arguments)
        with self._connected(request, descriptors) as connection:
            return protocol.value(_read(connection, ANSWER_TIMEOUT_S + patience_s))

    def events(self) -> Iterator[dict[str, Any]]:
        """vminfod's stream: first `ready` (with `vms`, a JSON string), then changes, for ever."""
        with self._connected(protocol.request("events", {})) as connection:
            while True:
                frame = _read(connection, None)
                if "event" not in frame:
                    protocol.value(frame)
                yield frame["event"]

    def _connected(self, request: bytes, descriptors: Sequence[int] = ()) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_TIMEOUT_S)
        try:
            connection.connect(str(self.path))
            sent = socket.send_fds(connection, [request], descriptors) if descriptors else 0
            if sent < len(request):  # One that was read may be answered, and closed, already.
                connection.sendall(request[sent:])
        except OSError as error:
            connection.close()
            raise NodeError("Unavailable", f"no node answers on {self.path}: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection


def _read(connection: socket.socket, timeout_s: float | None) -> dict[str, Any]:
    """The next frame; within the time, if there is a limit to it."""
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        header = _exactly(connection, frames.HEADER_BYTES, deadline_s)
        return frames.decode(_exactly(connection, frames.length(header), deadline_s))
    except TimeoutError as error:
        text = f"the node did not answer within {timeout_s:.0f} s; it may still do what was asked"
        raise NodeError("Unavailable", text) from error
    except (OSError, frames.FrameError) as error:
        raise NodeError("Unavailable", f"the node broke off: {error}") from error


def _exactly(connection: socket.socket, size_bytes: int, deadline_s: float | None) -> bytes:
    received = bytearray()
    while len(received) < size_bytes:
        if deadline_s is not None:
            connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
        else:
            connection.settimeout(None)
        chunk = connection.recv(min(size_bytes - len(received), _CHUNK_BYTES))
        if not chunk:
            text = "the node closed the connection before it answered"
            raise NodeError("Unavailable", text)
        received += chunk
    return bytes(received)
