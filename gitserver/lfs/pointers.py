"""A pointer: the small text that a commit has in the place of a large file (git-lfs's spec.md)."""

import re
from dataclasses import dataclass

POINTER_BYTES_MAX = 1023
"""A file of 1024 bytes or more is itself."""
OID = r"[0-9a-f]{64}"
# The two other addresses are those that the first versions of git-lfs wrote.
_POINTER = re.compile(
    rb"version https?://(?:git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1"
    rb"|git-media\.io/v/2)\r?\n"
    rb"(?:ext-[0-9]-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\r?\n"
    rb"size (?P<size>[0-9]{1,18})\s*"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """`oid` is the content's SHA-256 in hexadecimal digits."""

    oid: str
    size_bytes: int


def parse(content: bytes) -> Pointer | None:
    """None for every other file."""
    match = _POINTER.fullmatch(content) if len(content) <= POINTER_BYTES_MAX else None
    return Pointer(match["oid"].decode(), int(match["size"])) if match else None
