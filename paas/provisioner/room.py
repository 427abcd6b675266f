"""Whether the server has room for instances, asked before any of them is made.

The node decides, at each `create`; asking first means that what can't be done as a whole is not
begun, and that its owner reads one sentence about all of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from paas.apps.package import SHARES_PER_CORE
from paas.errors import UserError
from paas.node.client import NodeError
from paas.platform import Platform
from paas.provisioner.payload import PLACE

CODE = "InsufficientCapacity"
_ASKED_ABOUT = ("uuid", "brand", "image_uuid", "max_physical_memory", "cpu_shares")
_UNITS = {"cpu_shares": "cores", "memory_mib": "MiB of memory"}
_HINT = (
    "Scale to fewer or smaller instances, here or of another app, or ask the operator of this\n"
    "server for room (cpu_oversell and memory_oversell in its settings)."
)


class NoRoom(UserError):
    """The server has promised what it has: nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__("insufficient_capacity", message, _HINT)


async def check(platform: Platform, payloads: Sequence[Mapping[str, Any]]) -> None:
    """Raises NoRoom. A node that can't answer now is asked again by `create`."""
    try:
        found = await platform.node.room([_question(payload) for payload in payloads])
    except NodeError:
        return
    text = refusal(found, len(payloads))
    if text:
        raise NoRoom(text)


def refusal(room: Mapping[str, Mapping[str, int | None]], count: int) -> str:
    """Why `count` instances have no room; empty when they have. Pure."""
    said = [
        f"{'they ask' if count > 1 else 'it asks'} for {_number(name, part['asked'])} "
        f"{_UNITS.get(name, name)}, and "
        f"{_number(name, part['free'])} of the {_number(name, part['most'])} that may be promised "
        "are free"
        for name, part in room.items()
        if part["free"] is not None and (part["asked"] or 0) > part["free"]
    ]
    what = f"{count} more instances" if count > 1 else "one more instance"
    return f"there is no room for {what} on this server: {'; '.join(said)}" if said else ""


def refused(error: NodeError) -> NoRoom:
    """The node said no at last: others were quicker."""
    return NoRoom(error.message.partition(";")[0])


def _question(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Only what is counted: an app's configuration is long."""
    metadata = {key: value for key, value in payload["internal_metadata"].items() if key == PLACE}
    return {**{key: payload[key] for key in _ASKED_ABOUT}, "internal_metadata": metadata}


def _number(name: str, amount: int | None) -> str:
    return f"{(amount or 0) / SHARES_PER_CORE:g}" if name == "cpu_shares" else str(amount or 0)
