"""`_headers`, as Netlify and others read it: a path, and below it, indented, `Name: value` lines.

`*` in a path stands for anything, `:name` for one part of it. Several values of one header are all
sent; Cache-Control and the like, of which there can be only one, as the last rule that fits says.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from buildpacks.findings import Notice
from buildpacks.static.quoting import literal, quoted

_FIELDS_MAX = 300
_CHARACTERS_MAX = 3000
_SHOWN_MAX = 5
_NAME = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]{1,100}")
_KEPT = frozenset(
    (
        *("accept-ranges", "age", "allow", "alt-svc", "connection", "content-encoding"),
        *(
            "content-length",
            "content-range",
            "content-type",
            "date",
            "server",
            "trailer",
            "transfer-encoding",
        ),
        *("upgrade", "etag", "last-modified", "location"),
    )
)
"""They are the server's, as with Netlify."""


@dataclass(frozen=True)
class Field:
    """`pattern` is that of the paths which get it."""

    pattern: str
    name: str
    value: str


def read(text: str) -> tuple[list[Field], list[Notice]]:
    """The fields in their order, and what is said of lines that are left out."""
    fields: list[Field] = []
    left_out: list[str] = []
    pattern = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("/") and not raw[0].isspace():
            pattern = _pattern(line)
            continue
        field = _field(line, pattern) if len(fields) < _FIELDS_MAX else None
        if field is None:
            left_out.append(f"line {number}: {line[:80]}")
            pattern = "" if not raw[0].isspace() else pattern
        else:
            fields.append(field)
    return fields, _notices(left_out)


def maps(fields: Sequence[Field], defaults: Mapping[str, str]) -> Iterator[str]:
    """A variable for each field that is sent, empty where it is not."""
    for number, (name, found) in enumerate(_grouped(fields)):
        if name.lower() in _SINGLE or name.lower() in defaults:
            yield f"map $visited $field{number} {{"
            for field in reversed(found):
                yield f"{quoted(f'~{field.pattern}')} {quoted(literal(field.value))};"
            yield f"default {defaults.get(name.lower(), quoted(''))};"
            yield "}"
            continue
        for index, field in enumerate(found):
            value = quoted(literal(field.value))
            yield f"map $visited $field{number}_{index} {{"
            yield f'{quoted(f"~{field.pattern}")} {value}; default "";'
            yield "}"
    named = {field.name.lower() for field in fields}
    for name, value in defaults.items():
        if name not in named:
            variable = name.replace("-", "_")
            yield f"map $visited $default_{variable} {{ default {value}; }}"


def directives(fields: Sequence[Field]) -> Iterator[str]:
    """An empty value is not sent. How long to keep a page is not said of one that is missing."""
    for number, (name, found) in enumerate(_grouped(fields)):
        always = "" if name.lower() == "cache-control" else " always"
        if name.lower() in _SINGLE:
            yield f"add_header {quoted(name)} $field{number}{always};"
        else:
            for index in range(len(found)):
                yield f"add_header {quoted(name)} $field{number}_{index}{always};"
    named = {field.name.lower() for field in fields}
    if "cache-control" not in named:
        yield "add_header Cache-Control $default_cache_control;"
    if "x-content-type-options" not in named:
        yield "add_header X-Content-Type-Options $default_x_content_type_options always;"


_SINGLE = frozenset(
    (
        *("cache-control", "x-content-type-options", "x-frame-options", "expires"),
        *("referrer-policy", "strict-transport-security", "access-control-allow-origin"),
        *("content-disposition", "content-language", "permissions-policy"),
    )
)


def _grouped(fields: Sequence[Field]) -> list[tuple[str, list[Field]]]:
    found: dict[str, list[Field]] = {}
    for field in fields:
        found.setdefault(field.name.lower(), []).append(field)
    return [(group[0].name, group) for group in found.values()]


def _pattern(path: str) -> str:
    parts = re.split(r"(\*|:[A-Za-z]\w*)", path[:_CHARACTERS_MAX])
    built = "".join(
        ".*" if part == "*" else "[^/]+" if part.startswith(":") else re.escape(part)
        for part in parts
    )
    return f"^{built}$"


def _field(line: str, pattern: str) -> Field | None:
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not pattern or not colon or not _NAME.fullmatch(name) or name.lower() in _KEPT:
        return None
    if not value or len(line) > _CHARACTERS_MAX or not value.isprintable():
        return None
    return Field(pattern, name, value)


def _notices(left_out: Sequence[str]) -> list[Notice]:
    if not left_out:
        return []
    shown = "\n".join(left_out[:_SHOWN_MAX])
    more = len(left_out) - _SHOWN_MAX
    message = f"_headers is not understood in part, and this is left out:\n{shown}"
    message += f"\nand {more} more lines" if more > 0 else ""
    hint = "A path begins its line; below it, indented, stands e.g.: X-Frame-Options: DENY"
    return [Notice("headers_left_out", message, hint)]
