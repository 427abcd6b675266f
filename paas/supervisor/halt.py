"""What becomes of the machines when the platform stops: halted, or counted as going on."""

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from paas.settings import Settings

if TYPE_CHECKING:
    from paas.node.client import Machines, Node

STOP_TIMEOUT_S = 60.0
GRACE_S = 30.0
"""From SIGTERM to SIGKILL, as at a deploy."""
NODE_AWAY_PAUSE_S = 0.2


async def machines(settings: Settings) -> list[str]:
    """Stop all, also those that the node is about to start again; what did not go well.

    A node that ended comes back.
    """
    from paas.node.client import Node
    from paas.node.errors import NodeError

    node = Node(settings.node_socket)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            found = await _list(node)
            stops = (node.stop(item["uuid"], timeout_s=GRACE_S, for_now=True) for item in found)
            answers = await asyncio.gather(*stops, return_exceptions=True)
            settings.began.unlink(missing_ok=True)
    except TimeoutError:
        return [f"not all machines stopped within {STOP_TIMEOUT_S:.0f} s"]
    except NodeError as error:
        return [f"machines could not be stopped: {error}"]
    return [
        f"machine {item['uuid']} could not be stopped: {answer}"
        for item, answer in zip(found, answers, strict=True)
        if isinstance(answer, BaseException)
    ]


async def _list(node: "Node") -> "Machines":
    """Waits for a node that is away; the caller has a limit."""
    from paas.node.errors import NodeError

    while True:
        try:
            return await node.list()
        except NodeError as error:
            if error.code != "Unavailable":
                raise
        await asyncio.sleep(NODE_AWAY_PAUSE_S)


def running_count(settings: Settings) -> int:
    """By the records, and by the cgroups: on a pool that can't be written records stay old."""
    found = [record for record in records(settings) if record.get("state") == "running"]
    return sum(record.get("pid") is None or _has_processes(settings, record) for record in found)


def _has_processes(settings: Settings, record: dict[str, Any]) -> bool:
    from paas.node.zone import cgroups, classes

    names = (
        cgroups.name(settings.installation, kind, str(record.get("uuid"))) for kind in classes.KINDS
    )
    return any(cgroups.processes(name) for name in names)


def records(settings: Settings) -> list[dict[str, Any]]:
    """What the node has on disk of its machines; it may be changing them meanwhile."""
    found = []
    for path in (settings.pool_mount / ".machines").glob("*.json"):
        # Whatever else somebody put there is the node's to complain about.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            record = json.loads(path.read_text()) if path.is_file() else None
            found += [record] if isinstance(record, dict) else []
    return found
