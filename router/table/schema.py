"""Checks on decoded JSON, each of which says where something is wrong. Pure."""

import re
from typing import Any


class TableError(Exception):
    """The table can't be obeyed; the message says where it is wrong."""


def field(where: str, holder: Any, key: str, kind: type) -> Any:
    """`holder[key]`, which must be there and of that type."""
    if not isinstance(holder, dict):
        raise TableError(f"{where} is not an object")
    if key not in holder:
        raise TableError(f"{where}.{key} is missing")
    if not isinstance(holder[key], kind):
        raise TableError(f"{where}.{key} is {holder[key]!r}, not {kind.__name__}")
    return holder[key]


def matching(where: str, holder: Any, key: str, pattern: re.Pattern[str]) -> str:
    value: str = field(where, holder, key, str)
    if not pattern.fullmatch(value):
        raise TableError(f"{where}.{key} is {value!r}, which is not of the form {pattern.pattern}")
    return value


def number(
    where: str, holder: Any, key: str, least: float, most: float, whole: bool = False
) -> float:
    """A number from `least` to `most`; where it is a `whole` one, an int."""
    value = field(where, holder, key, object)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise TableError(f"{where}.{key} is {value!r}, not a {'whole ' if whole else ''}number")
    if not least <= value <= most:
        raise TableError(f"{where}.{key} is {value!r}, not from {least} to {most}")
    return float(value) if not whole else value


def only(where: str, holder: Any, known: frozenset[str]) -> None:
    """Nothing but the known keys: what is not understood is not obeyed by halves."""
    if not isinstance(holder, dict):
        raise TableError(f"{where} is not an object")
    for key in holder:
        if key not in known:
            raise TableError(f"{where}.{key!s:.100} is not known here")


def refuse_twice(what: str, values: list[str]) -> None:
    if len(set(values)) == len(values):
        return
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise TableError(f"the table has the {what} {value!r} twice")
        seen.add(value)
