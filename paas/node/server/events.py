"""The event stream: every change of a machine, as vminfod tells it. `changes` is pure.

Subscribers that read too slowly are cut off (they subscribe again and get a new `ready`): nobody
can make the node wait or grow.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from paas.node.machines.machine import now

_QUEUE_LENGTH_MAX = 10_000
_MISSING = object()


class Events:
    """Publishes to any number of queues. A queue that ends with None was cut off."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def subscribe(
        self, machines: Sequence[Mapping[str, Any]]
    ) -> asyncio.Queue[dict[str, Any] | None]:
        """A queue that begins with `ready` and the machines as they are now."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        queue.put_nowait({"type": "ready", "date": now(), "vms": json.dumps(list(machines))})
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[dict[str, Any] | None]) -> None:
        self._queues.discard(queue)

    def publish(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """Tell of a machine that appeared, changed or went; silent if nothing changed."""
        event = between(old, new)
        if event is None:
            return
        for queue in list(self._queues):
            if queue.qsize() >= _QUEUE_LENGTH_MAX:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)


def between(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """vminfod's event for a machine that was `old` and is `new`; None if nothing changed."""
    vm = new if new is not None else old
    if vm is None:
        return None
    kind = "create" if old is None else "delete" if new is None else "modify"
    differences = changes(old, new) if kind == "modify" and old and new else []
    if kind == "modify" and not differences:
        return None
    return {
        "type": kind,
        "date": now(),
        "uuid": vm["uuid"],
        "zonename": vm["uuid"],
        "vm": dict(vm),
        "changes": differences,
    }


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Differences key by key, into nested objects: path, prettyPath, action, values."""
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key, _MISSING), new.get(key, _MISSING)
        if before == after:
            continue
        here = (*path, key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += changes(before, after, here)
        else:
            found.append(_change(here, before, after))
    return found


def _change(path: tuple[str, ...], before: Any, after: Any) -> dict[str, Any]:
    change: dict[str, Any] = {"path": list(path), "prettyPath": ".".join(path)}
    if before is _MISSING:
        return {**change, "action": "added", "newValue": after, "to": after}
    if after is _MISSING:
        return {**change, "action": "removed", "oldValue": before, "from": before}
    values = {"oldValue": before, "newValue": after, "from": before, "to": after}
    return {**change, "action": "changed", **values}
