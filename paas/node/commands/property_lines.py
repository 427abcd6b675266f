"""The properties as `vmadm help properties` lists them: the table, for a terminal. Pure."""

from collections.abc import Iterator

from paas.node.machines import nested, payload
from paas.node.machines.table import ABSENT, Property


def lines() -> Iterator[str]:
    """Those that a zone takes, then those inside nics and filesystems."""
    yield f"{'PROPERTY':<30} {'TYPE':<12} {'SET':<4} {'EFFECT':<10} DEFAULT, BOUNDS, REMARKS"
    for row in payload.TABLE.values():
        if row.applies_to("lx"):
            yield _line(row.name, row)
    for name, rows in nested.NESTED.items():
        for row in rows.values():
            yield _line(f"{name}.*.{row.name}", row)


def _line(name: str, row: Property) -> str:
    standing = ["not built"] if row.standing == ABSENT else []
    parts = [*standing, row.shown_default(), row.limits, row.unit, row.why]
    remarks = "; ".join(part for part in parts if part)
    return f"{name:<30} {row.kind:<12} {row.settable:<4} {row.effect:<10} {remarks}".rstrip()
