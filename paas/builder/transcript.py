"""What a build prints: to whoever watches it, and to a file that keeps it."""

import codecs
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from paas.settings import Settings
from paas.system.plaintext import plain_but_colours

BYTES_MAX = 4 * 1024 * 1024
"""A build that prints more is cut: its app may print for ever."""

_STEP = re.compile(r"^-----> ", re.MULTILINE)

Write = Callable[[str], Awaitable[None]]


def path(settings: Settings, build_id: str) -> Path:
    """Where the output of a build is kept."""
    return settings.control_state / "builds" / f"{build_id}.log"


class Transcript:
    """Made by `open`. Text is made harmless for a terminal; its lines end with newlines."""

    def __init__(self, file: BinaryIO, write: Write, closed: Callable[[], None]) -> None:
        self._file = file
        self._closed = closed
        self._write = write
        self._left_bytes = BYTES_MAX
        self._steps = 0

    @classmethod
    def open(
        cls,
        settings: Settings,
        build_id: str,
        write: Write,
        closed: Callable[[], None] = lambda: None,
    ) -> "Transcript":
        """`closed` is told when nothing more will be written."""
        target = path(settings, build_id)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(target.open("ab"), write, closed)

    async def write(self, text: str) -> None:
        """Steps (`-----> `) are numbered on the way, so that one can be spoken of."""
        text = _STEP.sub(self._number, plain_but_colours(text))
        data = text.encode("utf-8", "replace")[: self._left_bytes]
        self._file.write(data)
        self._file.flush()
        self._left_bytes -= len(data)
        await self._write(text)

    def close(self) -> None:
        self._file.close()
        self._closed()

    def _number(self, _match: re.Match[str]) -> str:
        self._steps += 1
        return f"-----> {self._steps}. "


def read(source: Path, offset: int) -> tuple[str, int]:
    """What was written since `offset` (in bytes), in whole characters, and the next offset."""
    try:
        with source.open("rb") as file:
            file.seek(offset)
            data = file.read(BYTES_MAX)
    except FileNotFoundError:
        return "", offset
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    return text, offset + len(data) - len(decoder.getstate()[0])
