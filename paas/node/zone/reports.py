"""What a zone says on descriptor 4: hostile input, a few known lines of JSON, bounded. Pure.

A zone may write anything at any rate. Lines over the limit are dropped, unknown types and keys too,
and more than a few lines a second are not even parsed.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LINE_BYTES_MAX = 512
_LINES_PER_S = 20
_MEASURES = ("delay_ms", "heap_bytes")
_MEASURE_MAX = 2.0**53


@dataclass
class Reader:
    """Cuts bytes into reports. `feed` is given the time (any clock, seconds) with them."""

    _rest: bytes = b""
    _skipping: bool = False
    _second: int = 0
    _count: int = field(default=0)

    def feed(self, data: bytes, now_s: float) -> Iterator[dict[str, Any]]:
        """Reports of the lines that these bytes end."""
        *lines, rest = (self._rest + data).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        self._rest = rest
        if len(rest) > LINE_BYTES_MAX:
            self._rest, self._skipping = b"", True
        for line in lines:
            if len(line) <= LINE_BYTES_MAX and self._admit(int(now_s)):
                report = parse(line)
                if report:
                    yield report

    def _admit(self, second: int) -> bool:
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= _LINES_PER_S


def parse(line: bytes) -> dict[str, Any] | None:
    """A report with nothing but what is known, or None."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    if message.get("type") == "listening":
        return {"type": "listening"}
    if message.get("type") == "measures":
        return {"type": "measures", "measures": _numbers(message)}
    return None


def _numbers(message: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for key in _MEASURES:
        value = message.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value) if abs(value) <= _MEASURE_MAX else math.nan
            if math.isfinite(number) and number >= 0:
                found[key] = number
    return found
