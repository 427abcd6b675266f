"""An event as `vmadm events` shows it without `-j`: a line, or one a change. Pure."""

import json
from collections.abc import Mapping
from typing import Any

_ALIAS_LENGTH_MAX = 30


def lines(event: Mapping[str, Any], *, full: bool) -> list[str]:
    """SmartOS's: time, uuid (its first part), alias, type; path, action and values of a change."""
    date = str(event["date"])
    shown = date if full else date.partition("T")[2]
    if event["type"] == "ready":
        return [f"[{shown}] ready"]
    uuid = str(event.get("uuid", "-"))
    alias = str(event.get("vm", {}).get("alias", "-"))
    if len(alias) > _ALIAS_LENGTH_MAX and not full:
        alias = alias[: _ALIAS_LENGTH_MAX - 3] + "..."
    base = f"[{shown}] {uuid if full else uuid.partition('-')[0]} {alias} {event['type']}"
    changes = event.get("changes") or []
    return [f"{base}: {_change(change)}" for change in changes] or [base]


def _change(change: Mapping[str, Any]) -> str:
    before, after = (json.dumps(change.get(name)) for name in ("oldValue", "newValue"))
    return f"{change['prettyPath']} {change['action']} :: {before} -> {after}"
