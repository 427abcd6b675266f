"""Images as imgadm(8) shows them: computed fields, filters, order and columns. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
COLUMNS = "uuid,name,version,os,type,pub"
ANCESTRY = "uuid,name,version,published"
_COMPUTED = ("published_date", "published", "pub", "source", "clones", "size", "zpool")
_FIELDS = (
    *("v", "uuid", "owner", "name", "version", "description", "homepage", "eula", "icon", "urn"),
    *("state", "disabled", "public", "published_at", "type", "os", "origin", "nic_driver", "error"),
    *("disk_driver", "cpu_type", "image_size", "generate_passwords", "tags", "requirements"),
    *("files", "acl", "users", "billing_tags", "traits", "activated", "inherited_directories"),
    "channels",
)


class Unknown(ValueError):
    """A field that no image has."""


def row(record: Mapping[str, Any]) -> Row:
    """The manifest with the computed fields."""
    manifest = record["manifest"]
    published = str(manifest.get("published_at", ""))
    files = manifest.get("files") or [{}]
    return {
        **manifest,
        "published_date": published[:10] or None,
        "pub": published[:10] or None,
        "published": published.split(".")[0].removesuffix("Z") + "Z" if published else None,
        "source": record.get("source"),
        "clones": record.get("clones", 0),
        "zpool": record.get("zpool"),
        "size": files[0].get("size") if isinstance(files[0], dict) else None,
    }


def table(rows: Sequence[Row], columns: Sequence[str], header: bool) -> str:
    """Columns as wide as their widest value; a missing value is `-`. Nothing for no rows."""
    for column in columns:
        check(column)
    if not rows:
        return ""
    lines = [[cell(row, column) for column in columns] for row in rows]
    if header:
        lines.insert(0, [column.upper() for column in columns])
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def check(field: str) -> str:
    """Raises Unknown."""
    known = field in _FIELDS or field in _COMPUTED
    if not known and not field.startswith(("tags.", "requirements.")):
        raise Unknown(f'invalid field: "{field}"')
    return field


def value(row: Row, field: str) -> Any:
    """`tags.<name>` and `requirements.<name>` reach inside."""
    head, _, rest = field.partition(".")
    found = row.get(head)
    if rest:
        return found.get(rest) if isinstance(found, dict) else None
    return found


def cell(row: Row, field: str) -> str:
    found = value(row, field)
    if found in (None, ""):
        return "-"
    text = found if isinstance(found, str) else json.dumps(found)
    return text.replace("\n", " ")


def ordered(rows: Sequence[Row], fields: Sequence[str]) -> list[Row]:
    """By all fields, the first weighing most."""
    found = list(rows)
    for field in reversed(fields):
        name = field.removeprefix("-")
        check(name)
        found.sort(key=lambda row: _weight(value(row, name)), reverse=field.startswith("-"))
    return found


def _weight(found: Any) -> tuple[int, float, str]:
    if isinstance(found, (bool, int, float)):
        return (1, float(found), "")
    return (0, 0.0, "") if found is None else (2, 0.0, str(found))


def matches(row: Row, filters: Sequence[tuple[str, str]]) -> bool:
    """`=`: the same, as text or boolean; `=~`: a part of it."""
    return all(_matches(row, field, wanted) for field, wanted in filters)


def _matches(row: Row, field: str, wanted: str) -> bool:
    found = value(row, field)
    if found is None:
        return False
    text = found if isinstance(found, str) else json.dumps(found)
    return wanted[1:] in text if wanted.startswith("~") else text == wanted
