"""Messages between processes: a length (four bytes, big-endian), then a JSON object in UTF-8.

This module knows bytes and limits; what a message means is its users' matter.
"""

import asyncio
import json
import struct
from typing import Any

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class FrameError(Exception):
    """The peer sent something that is no message."""


def encode(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MESSAGE_BYTES_MAX:
        raise FrameError(f"a message of {len(body)} bytes is over {MESSAGE_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


async def read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message, or None at the end of the stream. Raises FrameError for anything else."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MESSAGE_BYTES_MAX:
            raise FrameError(f"a message of {length} bytes is over {MESSAGE_BYTES_MAX}")
        return decode(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("the stream ended inside a message") from error
        return None


def decode(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise FrameError(f"a message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("a message is not a JSON object")
    return message
