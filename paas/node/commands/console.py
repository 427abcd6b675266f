"""`vmadm console`: what a machine prints, as it prints it, until CTRL-].

conmon gives it to whoever connects to its socket (`attach`; a packet's first byte is the stream's).
A machine's standard input is nobody's, so what is typed goes nowhere; what it prints is made
harmless for a terminal. Leaving changes nothing for the machine.
"""

import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paas.errors import UserError
from paas.system.plaintext import plain

_LEAVE = b"\x1d"
_INTERRUPT = b"\x03"
_PACKET_BYTES = 64 * 1024
_CONNECT_TIMEOUT_S = 5.0


def show(machine_folder: Path, uuid: str) -> None:
    """Until CTRL-], the end of the machine, or of standard input's terminal. Raises UserError."""
    path = machine_folder / "bundle" / "attach"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_CONNECT_TIMEOUT_S)
        try:
            connection.connect(str(path))
        except OSError as error:
            text = f"cannot connect to console of {uuid}: {path}: {error.strerror or error}"
            raise UserError("unavailable", text) from error
        connection.settimeout(None)
        with _keys() as keys:
            _say(f"[Connected to zone {uuid!r} console: its output. CTRL-] leaves.]")
            _relay(connection, keys)
    _say(f"[Connection to zone {uuid!r} console closed]")


def _relay(connection: socket.socket, keys: int | None) -> None:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if keys is not None:
        poll.register(keys, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == keys:
                typed = os.read(keys, 1024)
                if not typed or _LEAVE in typed or _INTERRUPT in typed:
                    return
                continue
            packet = connection.recv(_PACKET_BYTES)
            if not packet:
                return
            text = packet[1:].decode(errors="replace").replace("\r\n", "\n")
            sys.stdout.write(plain(text))
            sys.stdout.flush()


@contextmanager
def _keys() -> Iterator[int | None]:
    """Standard input, if it is a terminal: keys as they are pressed, unseen, until the end."""
    descriptor = sys.stdin.fileno()
    if not os.isatty(descriptor):
        yield None
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
