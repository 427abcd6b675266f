"""What a check of the host found."""

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """`text` says what is so, `remedy` (one or more lines) what to do about it."""

    name: str
    level: Level
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


Problem = Finding
"""A Finding whose level is `problem`."""


def ok(name: str, text: str) -> Finding:
    return Finding(name, "ok", text)


def warning(name: str, text: str, remedy: str) -> Finding:
    return Finding(name, "warning", text, remedy)


def problem(name: str, text: str, remedy: str) -> Problem:
    return Finding(name, "problem", text, remedy)
