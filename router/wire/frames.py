"""Messages between processes: a length (four bytes, big-endian), then a JSON object in UTF-8.

This module knows bytes and limits; what a message means is its users' matter.
"""

import json
import struct
from typing import Any, Protocol

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")
HEADER_BYTES = _LENGTH.size


class FrameError(Exception):
    """The peer sent something that is no message."""


class Reader(Protocol):
    """asyncio.StreamReader, which a command that asks once does without."""

    async def readexactly(self, n: int) -> bytes: ...


def encode(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MESSAGE_BYTES_MAX:
        raise FrameError(f"a message of {len(body)} bytes is over {MESSAGE_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


async def read(reader: Reader) -> dict[str, Any] | None:
    """The next message, or None at the end of the stream. Raises FrameError for anything else."""
    try:
        header = await reader.readexactly(HEADER_BYTES)
        return decode(await reader.readexactly(length(header)))
    except EOFError as error:  # asyncio.IncompleteReadError
        if getattr(error, "partial", b""):
            raise FrameError("the stream ended inside a message") from error
        return None


def length(header: bytes, most: int = MESSAGE_BYTES_MAX) -> int:
    """How many bytes follow a header. Raises FrameError for more than `most`."""
    (found,) = _LENGTH.unpack_from(header)
    if found > most:
        raise FrameError(f"a message of {found} bytes is over {most}")
    return int(found)


def decode(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise FrameError(f"a message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("a message is not a JSON object")
    return message
