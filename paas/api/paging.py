"""Lists in parts, as Heroku's Range headers ask for them.

`Range: version ..; order=desc,max=10` is answered 206 with `Next-Range` while more is left. Bounds
are values of the key, `]` and `[` leave the bound itself out. A Range of any other form is ignored,
as RFC 9110 §14.2 allows.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

DEFAULT_MAX = 200
GREATEST_MAX = 1000
_RANGE = re.compile(r"\s*([a-z_]{1,40})\s+(\]?)([^;]*?)\.\.([^;]*?)(\[?)\s*(?:;(.*))?", re.S)


@dataclass(frozen=True)
class Range:
    """Which items, in which order, and at most how many of them at once."""

    key: str
    first: str = ""
    first_excluded: bool = False
    last: str = ""
    last_excluded: bool = False
    descending: bool = False
    most: int = DEFAULT_MAX

    def __str__(self) -> str:
        start = ("]" if self.first_excluded else "") + self.first
        end = self.last + ("[" if self.last_excluded else "")
        order = "desc" if self.descending else "asc"
        return f"{self.key} {start}..{end}; max={self.most}, order={order}"


def answer(
    request: Request, items: list[dict[str, Any]], *, key: str = "id", descending: bool = False
) -> Response:
    """The part that the request's Range wants; without one the first part, by `key`."""
    asked = parse(request.headers.get("range", ""))
    if asked is None or any(_value(item, asked.key) is None for item in items):
        most = asked.most if asked else DEFAULT_MAX
        asked = Range(key, descending=descending, most=most)
    part, following = cut(items, asked)
    headers = {"Accept-Ranges": f"id, {key}" if key != "id" else "id"}
    if part:
        ends = f"{_value(part[0], asked.key)}..{_value(part[-1], asked.key)}"
        headers["Content-Range"] = _ascii(f"{asked.key} {ends}")
    if following is not None:
        headers["Next-Range"] = _ascii(str(following))
    return JSONResponse(part, status_code=206 if following else 200, headers=headers)


def parse(header: str) -> Range | None:
    """None for a header that is absent or of another form."""
    match = _RANGE.fullmatch(header[:1000])
    if not match:
        return None
    key, first_excluded, first, last, last_excluded, options = match.groups()
    most = re.search(r"\bmax\s*=\s*(\d{1,6})", options or "")
    return Range(
        key=key,
        first=first.strip(),
        first_excluded=bool(first_excluded),
        last=last.strip(),
        last_excluded=bool(last_excluded),
        descending=re.search(r"\border\s*=\s*desc\b", options or "") is not None,
        most=min(max(int(most[1]), 1), GREATEST_MAX) if most else DEFAULT_MAX,
    )


def cut(items: list[dict[str, Any]], asked: Range) -> tuple[list[dict[str, Any]], Range | None]:
    """The part that is asked for, and the Range of what follows it (None: nothing)."""
    inside = [item for item in items if _within(_value(item, asked.key), asked)]
    inside.sort(key=lambda item: (_value(item, asked.key), str(item.get("id"))))
    if asked.descending:
        inside.reverse()
    part = inside[: asked.most]
    if len(inside) <= asked.most:
        return part, None
    edge = str(_value(part[-1], asked.key))
    if asked.descending:
        return part, replace(asked, last=edge, last_excluded=True)
    return part, replace(asked, first=edge, first_excluded=True)


def _within(value: Any, asked: Range) -> bool:
    return _after(value, asked.first, asked.first_excluded, lambda a, b: bool(a > b)) and _after(
        value, asked.last, asked.last_excluded, lambda a, b: bool(a < b)
    )


def _after(value: Any, bound: str, excluded: bool, beyond: Callable[[Any, Any], bool]) -> bool:
    if not bound:
        return True
    if isinstance(value, int) and not re.fullmatch(r"\d{1,15}", bound):
        return True
    limit = int(bound) if isinstance(value, int) else bound
    return beyond(value, limit) or (not excluded and value == limit)


def _value(item: Mapping[str, Any], key: str) -> str | int | None:
    value = item.get(key)
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _ascii(header: str) -> str:
    """Values in headers are names, numbers and times; anything else is escaped as in JSON."""
    return header if header.isascii() and header.isprintable() else json.dumps(header)
