"""The part of YAML that package managers write into lock files and people into their settings.

Mappings and lists by indentation, scalars with or without quotes, lists and mappings in brackets on
one line. All scalars are texts. Whatever is beyond that is left out, never an error: what the files
mean says the package manager itself.
"""

import re
from typing import Any

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#'"\[\]{}&*!|>%@`](?:[^#]*?[^\s#])??)"""
    r"""\s*:(?:\s+(?P<value>.*))?$"""
)
_BLOCK = re.compile(r"[|>][+-]?\d?$")
_ITEM = re.compile(r"-(?:\s+(?P<value>.*))?$")
_DEPTH_MAX = 30
_LINE_MAX = 2000

Value = dict[str, Any] | list[Any] | str


def load(text: str) -> dict[str, Any]:
    """The mapping of a document, of several the last: pnpm puts its own before."""
    document = re.split(r"(?m)^---\s*$", text)[-1]
    lines = [
        (len(line) - len(line.lstrip(" ")), line.strip())
        for line in document.splitlines()
        if line.strip() and not line.lstrip().startswith("#") and len(line) < _LINE_MAX
    ]
    value = _block(lines, 0, 0)[0] if lines else {}
    return value if isinstance(value, dict) else {}


def mapping(value: object, *keys: str) -> dict[str, Any]:
    """What is found by the keys, one inside the other; empty when it is no mapping."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def texts(value: object) -> list[str]:
    """The texts of a list; a text alone is a list of one."""
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str)]


def _block(lines: list[tuple[int, str]], at: int, depth: int) -> tuple[Value, int]:
    """The value that begins at a line, and where it ends."""
    indent = lines[at][0]
    if _ITEM.match(lines[at][1]):
        return _items(lines, at, depth)
    found: dict[str, Any] = {}
    while at < len(lines) and lines[at][0] >= indent:
        match = _KEY.match(lines[at][1]) if lines[at][0] == indent else None
        at += 1
        if match is None:
            continue
        value, key = _without_comment(match["value"] or ""), _scalar(match["key"])
        if _BLOCK.match(value) or (value and not value.startswith(("&", "!"))):
            found[key] = "" if _BLOCK.match(value) else _inline(value)
            continue
        inner = at < len(lines) and (
            lines[at][0] > indent or (lines[at][0] == indent and _ITEM.match(lines[at][1]))
        )
        if inner and depth < _DEPTH_MAX:
            found[key], at = _block(lines, at, depth + 1)
        else:
            found[key] = ""
    return found, at


def _items(lines: list[tuple[int, str]], at: int, depth: int) -> tuple[list[Any], int]:
    indent, found = lines[at][0], list[Any]()
    while at < len(lines) and lines[at][0] >= indent:
        match = _ITEM.match(lines[at][1]) if lines[at][0] == indent else None
        if match is None and lines[at][0] == indent:
            break
        value = _without_comment(match["value"] or "") if match else ""
        if match and (_KEY.match(value) or not value) and depth < _DEPTH_MAX:
            rest = [(indent + 2, value)] if value else []
            end = at + 1
            while end < len(lines) and lines[end][0] > indent:
                rest.append(lines[end])
                end += 1
            found += [_block(rest, 0, depth + 1)[0]] if rest else []
            at = end
            continue
        found += [_inline(value)] if match else []
        at += 1
    return found, at


def _inline(text: str) -> Value:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part) for part in _split(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (_KEY.match(part) for part in _split(text[1:-1]))
        return {_scalar(pair["key"]): _scalar(pair["value"] or "") for pair in pairs if pair}
    return _scalar(text)


def _split(text: str) -> list[str]:
    parts = re.findall(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,"'])+""", text)
    return [part.strip() for part in parts if part.strip()]


def _without_comment(text: str) -> str:
    quoted = re.match(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?$""", text)
    return quoted[1] if quoted else re.sub(r"(?:^|\s)#.*$", "", text).strip()


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
