"""Attached to what runs on the platform: terminal or pipes here, a process there.

A WebSocket to `/attach/SECRET` (docs/contracts/attach.md) on the endpoint that gave the secret. One
loop over file descriptors, because output, keys, the window's size and the connection come as they
like. Built on the standard library, as all of the client.
"""

import contextlib
import os
import select
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from paas.client import connection
from paas.client.endpoint import Endpoint
from paas.errors import UserError
from paas.system import channels, websocket

CONNECT_TIMEOUT_S = 30.0
SILENCE_S = 120.0
"""The platform sends a ping every 30 s, whatever is printed."""
_CHUNK_BYTES = 32 * 1024
_PENDING_BYTES_MAX = 256 * 1024
_HEAD_BYTES_MAX = 64 * 1024
_COMPLAINT_BYTES_MAX = 4096
_STREAMS = {channels.STDOUT: 1, channels.STDERR: 2}
LOST = 255


class Attachment:
    """A connection to a process or a port; use it in `with`."""

    def __init__(self, endpoint: Endpoint, attach_url: str) -> None:
        secret = urlsplit(attach_url).path.strip("/")
        self._socket = connection.opened(endpoint, CONNECT_TIMEOUT_S)
        self._parser = websocket.Parser(from_client=False)
        self._pending = b""
        self.messages: list[websocket.Message] = []
        try:
            self._shake_hands(endpoint, secret)
        except (OSError, ValueError) as error:
            self.close()
            raise _lost(str(error)) from error

    def __enter__(self) -> "Attachment":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_room(self) -> bool:
        return len(self._pending) < _PENDING_BYTES_MAX

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    def queue(self, data: bytes, opcode: int = websocket.BINARY) -> None:
        self._pending += websocket.encode(opcode, data, mask=os.urandom(4))

    def flush(self) -> None:
        """What can be sent without waiting."""
        try:
            while self._pending:
                self._pending = self._pending[self._socket.send(self._pending) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except ConnectionError:
            self._pending = b""  # What came before is still to be read.

    def receive(self) -> bool:
        """Take what has come; False at the end of the connection. Raises OSError, UserError."""
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while True:
                data = self._socket.recv(_CHUNK_BYTES)
                if not data:
                    return False
                self._take(data)
                if not isinstance(self._socket, ssl.SSLSocket):
                    break  # TLS keeps what it has decrypted, of which select(2) knows nothing.
        return True

    def _take(self, data: bytes) -> None:
        for message in self._parser.feed(data):
            if message.opcode == websocket.PING:
                self.queue(message.data, websocket.PONG)
            elif message.opcode != websocket.PONG:
                self.messages.append(message)

    def _shake_hands(self, endpoint: Endpoint, secret: str) -> None:
        key = websocket.new_key()
        head = (
            f"GET /attach/{secret} HTTP/1.1\r\nHost: {urlsplit(endpoint.url).netloc}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {channels.PROTOCOL}\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        received = b""
        while b"\r\n\r\n" not in received:
            data = self._socket.recv(_CHUNK_BYTES)
            if not data or len(received) > _HEAD_BYTES_MAX:
                raise ValueError("it was not answered")
            received += data
        answer, _, rest = received.partition(b"\r\n\r\n")
        status = answer.split(b"\r\n")[0].decode("latin-1")
        if " 101 " not in f"{status} ":
            raise ValueError(f"the platform answered {status!r:.60}")
        if websocket.accept(key) not in answer.decode("latin-1"):
            raise ValueError("what answered speaks no WebSocket")
        self._take(rest)
        self._socket.settimeout(0)


def attach(endpoint: Endpoint, attach_url: str, *, terminal: bool) -> tuple[int, str]:
    """Until the process has ended: its exit status, and what the platform says of it, if anything.

    `terminal`: ours (standard input and output) is one, and the process has one too. Raises
    UserError.
    """
    with Attachment(endpoint, attach_url) as attachment, _woken_by_size() as resized:
        mode = _raw() if terminal else contextlib.nullcontext()
        try:
            with mode:
                if terminal:
                    _send_size(attachment)
                return _carry(attachment, resized)
        except BrokenPipeError:
            raise  # Nobody reads what we print (`paas run … | head`), or the connection is cut.
        except OSError as error:
            raise _lost(str(error)) from error


def _carry(attachment: Attachment, resized: int) -> tuple[int, str]:
    source = 0
    while True:
        for message in attachment.messages:
            ended = _print(message)
            if ended is not None:
                return ended
        attachment.messages.clear()
        wanted: list[Attachment | int] = [attachment, resized]
        wanted += [source] if source >= 0 and attachment.has_room else []
        writing = [attachment] if attachment.has_pending else []
        ready, can_write, _ = select.select(wanted, writing, [], SILENCE_S)
        if not ready and not can_write:
            raise _lost("the platform is silent")
        if resized in ready:
            os.read(resized, 4096)
            _send_size(attachment)
        if source in ready and not _read_input(attachment, source):
            source = -1
        if can_write or attachment.has_pending:
            attachment.flush()
        if attachment in ready and not attachment.receive() and not attachment.messages:
            raise _lost("it ended in the middle")


def _read_input(attachment: Attachment, source: int) -> bool:
    try:
        data = os.read(source, _CHUNK_BYTES)
    except OSError:  # closed, or a terminal that is not ours to read from
        data = b""
    if data:
        attachment.queue(channels.message(channels.STDIN, data))
    else:
        attachment.queue(channels.closing(channels.STDIN))
    return bool(data)


def _print(message: websocket.Message) -> tuple[int, str] | None:
    """What came, to where it belongs; the exit status once it is that."""
    if message.opcode == websocket.CLOSE:
        raise _lost("it was closed")
    channel, data = (message.data[0], message.data[1:]) if message.data else (-1, b"")
    if channel == channels.STATUS:
        return channels.parse_status(data)
    descriptor = _STREAMS.get(channel)
    while descriptor is not None and data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody has made our terminal so
            select.select([], [descriptor], [])
    return None


def _send_size(attachment: Attachment) -> None:
    with contextlib.suppress(OSError):
        columns, rows = os.get_terminal_size(1)
        attachment.queue(channels.size(rows, columns))


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the process, Ctrl-C too; afterwards the terminal is what it was."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _woken_by_size() -> Iterator[int]:
    """A descriptor that can be read once the window's size has changed."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def changed(*_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(writing, b"\0")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield reading
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reading)
        os.close(writing)


def is_terminal() -> bool:
    """Whether a person sits here: where one of the two is a pipe or a file, bytes stay as they
    are."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _lost(why: str) -> UserError:
    return UserError(
        "connection_lost",
        f"The connection to what runs was lost: {why or 'no reason is known'}.",
        "What ran has ended with it: it got SIGHUP.",
        exit_code=LOST,
    )


def output(
    endpoint: Endpoint, attach_url: str, write: Callable[[bytes], object]
) -> tuple[int, str, str]:
    """A process's whole output; its exit status, the platform's words, and its complaints."""
    complaint = b""
    with Attachment(endpoint, attach_url) as attachment:
        attachment.queue(channels.closing(channels.STDIN))
        for channel, data in _pieces(attachment):
            if channel == channels.STDOUT:
                write(data)
            elif channel == channels.STDERR and len(complaint) < _COMPLAINT_BYTES_MAX:
                complaint += data
            elif channel == channels.STATUS:
                return *channels.parse_status(data), complaint.decode(errors="replace")
    raise _lost("it ended in the middle")


def bridge(endpoint: Endpoint, attach_url: str, connection: socket.socket) -> str:
    """A connection here and one there, until either ends; the platform's words, if any."""
    with Attachment(endpoint, attach_url) as attachment:
        is_open = True
        while True:
            wanted: list[Attachment | socket.socket] = [attachment]
            wanted += [connection] if is_open and attachment.has_room else []
            writing = [attachment] if attachment.has_pending else []
            ready, can_write, _ = select.select(wanted, writing, [], SILENCE_S)
            if not ready and not can_write:
                raise _lost("the platform is silent")
            if connection in ready:
                data = _received(connection)
                is_open = bool(data)
                channel = channels.message(channels.STDIN, data)
                attachment.queue(channel if data else channels.closing(channels.STDIN))
            attachment.flush()
            if attachment in ready and not attachment.receive() and not attachment.messages:
                return ""
            for message in _taken(attachment):
                if message.opcode == websocket.CLOSE:
                    return ""
                if message.data[:1] == bytes([channels.STATUS]):
                    return channels.parse_status(message.data[1:])[1]
                if message.data[:1] == bytes([channels.STDOUT]):
                    connection.sendall(message.data[1:])


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_CHUNK_BYTES)
    except OSError:
        return b""


def _pieces(attachment: Attachment) -> Iterator[tuple[int, bytes]]:
    while True:
        for message in _taken(attachment):
            if message.opcode == websocket.CLOSE:
                return
            if message.data:
                yield message.data[0], message.data[1:]
        writing = [attachment] if attachment.has_pending else []
        if not any(select.select([attachment], writing, [], SILENCE_S)):
            raise _lost("the platform is silent")
        attachment.flush()
        if not attachment.receive() and not attachment.messages:
            return


def _taken(attachment: Attachment) -> list[websocket.Message]:
    found, attachment.messages = attachment.messages, []
    return found
