"""WebSocket messages as bytes (RFC 6455): what both ends of an attached connection need. Pure.

Without extensions and subprotocols' meanings; who talks, and when, is the caller's matter.
"""

import base64
import hashlib
import os
from dataclasses import dataclass, field

from paas.errors import UserError

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MESSAGE_BYTES_MAX = 1024 * 1024
_CONTINUATION, _CONTROL = 0, 8
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Section 1.3."""


class WebSocketError(UserError):
    """The other end breaks the protocol."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_answer", f"The connection breaks WebSocket's rules: {message}.")


@dataclass(frozen=True)
class Message:
    """A whole message, or a control frame."""

    opcode: int
    data: bytes


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def accept(key: str) -> str:
    """Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (section 4.2.2)."""
    digest = hashlib.sha1(key.strip().encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def encode(opcode: int, data: bytes, *, mask: bytes = b"") -> bytes:
    """One frame (section 5.2). Clients mask, with four bytes that nobody can foresee."""
    length, bit = len(data), 0x80 if mask else 0
    head = bytes([0x80 | opcode])
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += bytes([bit | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + length.to_bytes(8, "big")
    return head + mask + (masked(data, mask) if mask else data)


def masked(data: bytes, mask: bytes) -> bytes:
    """Section 5.3; as one number, because a loop over bytes takes a hundred times as long."""
    whole = (mask * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "little") ^ int.from_bytes(whole, "little")
    return number.to_bytes(len(data), "little")


@dataclass
class Parser:
    """Makes messages of what comes. `from_client` says that frames must be masked; else they
    must not be (section 5.1)."""

    from_client: bool
    _rest: bytes = b""
    _parts: list[bytes] = field(default_factory=list)
    _opcode: int = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises WebSocketError."""
        self._rest += data
        found = []
        while (frame := self._frame()) is not None:
            message = self._message(*frame)
            if message is not None:
                found.append(message)
        return found

    def _frame(self) -> tuple[bool, int, bytes] | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        final, opcode, length = bool(rest[0] & 0x80), rest[0] & 0x0F, rest[1] & 0x7F
        if rest[0] & 0x70:
            raise WebSocketError("a reserved bit is set")
        if bool(rest[1] & 0x80) != self.from_client:
            raise WebSocketError("a frame is masked, or is not, against the rule")
        if opcode >= _CONTROL and (length > 125 or not final):
            raise WebSocketError("a control frame is too long or in parts")
        start = 2 + {126: 2, 127: 8}.get(length, 0)
        if len(rest) < start:
            return None
        if length > 125:
            length = int.from_bytes(rest[2:start], "big")
        if length + sum(map(len, self._parts)) > MESSAGE_BYTES_MAX:
            raise WebSocketError(f"a message has over {MESSAGE_BYTES_MAX} bytes")
        mask = rest[start : start + 4] if self.from_client else b""
        start += 4 if self.from_client else 0
        if len(rest) < start + length:
            return None
        self._rest = rest[start + length :]
        data = rest[start : start + length]
        return final, opcode, masked(data, mask) if mask else data

    def _message(self, final: bool, opcode: int, data: bytes) -> Message | None:
        if opcode >= _CONTROL:
            if opcode not in (CLOSE, PING, PONG):
                raise WebSocketError(f"opcode {opcode} is unknown")
            return Message(opcode, data)
        if (opcode == _CONTINUATION) != bool(self._opcode) or opcode > BINARY:
            raise WebSocketError("a message begins within another, or goes on without one")
        self._opcode = self._opcode or opcode
        self._parts.append(data)
        if not final:
            return None
        message = Message(self._opcode, b"".join(self._parts))
        self._parts, self._opcode = [], 0
        return message
