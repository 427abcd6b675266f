"""The form of a machine on its way to another node: what it was told to be, then its data.

    SMARTPLATFORM-VMBUNDLE 1\n
    length, JSON {"driver", "properties"}
    length, part of the dataset's stream   … any number of times
    0, SHA-256 of everything before

Lengths are four bytes, network order. What was cut or changed on its way is known by its end; what
the dataset's stream means is the pool's matter. Blocks; a peer that is silent for too long is given
up.
"""

import hashlib
import json
import os
import select
from collections.abc import Mapping
from typing import Any

from paas.node.errors import NodeError

_MAGIC = b"SMARTPLATFORM-VMBUNDLE 1\n"
_LENGTH_BYTES = 4
_DESCRIPTION_BYTES_MAX = 8 * 1024 * 1024
_PART_BYTES = 256 * 1024
_SILENCE_S = 600.0


class Bundle:
    """One end of a stream, over an open descriptor that stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sum = hashlib.sha256()

    def write_description(self, description: Mapping[str, Any]) -> None:
        text = json.dumps(description).encode()
        self._write(_MAGIC + _length(text) + text)

    def read_description(self) -> dict[str, Any]:
        """Raises NodeError `InvalidBundle`."""
        if self._read(len(_MAGIC)) != _MAGIC:
            raise _invalid("it is none of `vmadm send`'s")
        size_bytes = int.from_bytes(self._read(_LENGTH_BYTES))
        if size_bytes > _DESCRIPTION_BYTES_MAX:
            raise _invalid("its description is too long")
        try:
            found = json.loads(self._read(size_bytes))
        except (ValueError, RecursionError) as error:
            raise _invalid(f"its description is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise _invalid("its description is no object")
        return found

    def copy_in(self, source: int) -> None:
        """The dataset's stream from a pipe, to its end; then the bundle's end."""
        while part := os.read(source, _PART_BYTES):
            self._write(_length(part) + part)
        self._write(b"\0" * _LENGTH_BYTES)
        self._write(self._sum.digest())

    def copy_out(self, target: int) -> None:
        """The reverse. Raises NodeError `InvalidBundle`, also after all parts were copied."""
        while size_bytes := int.from_bytes(self._read(_LENGTH_BYTES)):
            if size_bytes > _PART_BYTES:
                raise _invalid("a part of it is too long")
            _write_all(target, self._read(size_bytes))
        due = self._sum.digest()
        if self._read(len(due)) != due:
            raise _invalid("it was changed on its way: its sum is another one")

    def _write(self, data: bytes) -> None:
        self._sum.update(data)
        view = memoryview(data)
        while view:
            _await(self._descriptor, select.POLLOUT)
            try:
                view = view[os.write(self._descriptor, view) :]
            except BrokenPipeError as error:
                raise NodeError("InvalidBundle", "nobody reads the stream any more") from error

    def _read(self, size_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            _await(self._descriptor, select.POLLIN)
            part = os.read(self._descriptor, size_bytes - len(data))
            if not part:
                raise _invalid("it ends too soon")
            data += part
        self._sum.update(data)
        return bytes(data)


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES)


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _await(descriptor: int, event: int) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(_SILENCE_S * 1000):
        raise _invalid(f"nothing of it moved for {_SILENCE_S:.0f} s")


def _invalid(why: str) -> NodeError:
    return NodeError("InvalidBundle", f"the stream can't be used: {why}. Send it again")
