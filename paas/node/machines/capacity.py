"""What this server may promise to machines, and what it has promised. Deciding is pure.

`cpu_shares` is a guarantee, 1024 a core, `max_physical_memory` and `quota` what a machine may fill.
The sums over all provisioned machines, whatever their state (as SmartDataCenter counts), never
exceed seven eighths of what the server has (of the pool: all but its reserve) times the operator's
ratio (`cpu_oversell`, `memory_oversell`, `disk_oversell`): with 1 a promise is always kept. Builds
are promised nothing and not counted.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paas.node import words
from paas.node.errors import NodeError
from paas.settings import Settings

SOLD_PART = 7 / 8
"""The rest is the host's, the platform's and the builds', whose weights (`zone.classes`) let them
take about as much when all are busy. SmartDataCenter keeps 15 % of the memory back."""
_MIB = 1024 * 1024
_GIB = 1024 * _MIB
SETTINGS = {
    "cpu_shares": "cpu_oversell",
    "memory_mib": "memory_oversell",
    "disk_gib": "disk_oversell",
}
"""What is counted, and the setting that says how often it may be promised."""


Part = dict[str, int | None]
"""`asked`, `free`, `most` of one resource."""


@dataclass(frozen=True)
class Amount:
    """None where it is not counted: as much as anybody likes."""

    cpu_shares: int | None
    memory_mib: int | None
    disk_gib: int | None = None


@dataclass(frozen=True)
class Claim:
    """What one machine is promised. Of those at one place only the largest counts.

    A new release's machine and the one that it replaces run side by side for a moment; they are
    one instance, and have one place.
    """

    place: str
    cpu_shares: int
    memory_mib: int
    disk_gib: int = 0


def claim(properties: Mapping[str, Any]) -> Claim | None:
    """Of a machine's checked properties; None for a build."""
    metadata = properties["internal_metadata"]
    if metadata.get(words.CLASS) == words.BUILDS:
        return None
    place = metadata.get(words.PLACE) or _earlier_place(properties)
    cpu, memory = properties["cpu_shares"], properties["max_physical_memory"]
    return Claim(place, cpu, memory, properties.get("quota", 0))


def _earlier_place(properties: Mapping[str, Any]) -> str:
    """Of machines that say none: instances made before places were recorded, and all others."""
    instance = properties.get("tags", {}).get(words.INSTANCE)
    return f"{properties['owner_uuid']}/{instance}" if instance else str(properties["uuid"])


def of_server(settings: Settings, disk_bytes: int | None = None) -> Amount:
    """What may be promised of this server: its parts times the ratios (0: not counted).

    `disk_bytes` is what of the pool is not its reserve; None where the disk is not counted.
    """
    cores = len(os.sched_getaffinity(0))
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Amount(
        _times(cores * words.SHARES_PER_CORE * SOLD_PART, settings.cpu_oversell),
        _times(memory_bytes // _MIB * SOLD_PART, settings.memory_oversell),
        None if disk_bytes is None else _times(disk_bytes / _GIB, settings.disk_oversell),
    )


def promised(claims: Iterable[Claim | None]) -> Amount:
    """The sums over all places."""
    places: dict[str, tuple[int, int, int]] = {}
    for item in claims:
        if item is not None:
            shares, memory, disk = places.get(item.place, (0, 0, 0))
            places[item.place] = (
                max(shares, item.cpu_shares),
                max(memory, item.memory_mib),
                max(disk, item.disk_gib),
            )
    return Amount(*(sum(each[part] for each in places.values()) for part in range(3)))


def check(most: Amount, before: Sequence[Claim | None], after: Sequence[Claim | None]) -> None:
    """Raises NodeError `InsufficientCapacity` when what is added exceeds `most`.

    What asks for no more than before always passes, also on a server that was oversold.
    """
    found = room(most, before, after)
    said = [_say(name, part) for name, part in found.items() if is_too_much(part)]
    if said:
        settings = ", ".join(SETTINGS[name] for name, part in found.items() if is_too_much(part))
        advice = f"ask for less, delete machines, or promise more by the operator's {settings}"
        raise NodeError("InsufficientCapacity", f"there is no room: {' and '.join(said)}; {advice}")


def room(
    most: Amount, before: Sequence[Claim | None], after: Sequence[Claim | None]
) -> dict[str, Part]:
    """A Part for each of SETTINGS; null where it is not counted."""
    had, wants = promised(before), promised(after)
    return {
        "cpu_shares": _part(wants.cpu_shares, had.cpu_shares, most.cpu_shares),
        "memory_mib": _part(wants.memory_mib, had.memory_mib, most.memory_mib),
        "disk_gib": _part(wants.disk_gib, had.disk_gib, most.disk_gib),
    }


def is_too_much(part: Part) -> bool:
    asked, free = part["asked"], part["free"]
    return free is not None and asked is not None and asked > max(0, free)


def _part(wanted: int | None, had: int | None, most: int | None) -> Part:
    asked, used = (wanted or 0) - (had or 0), had or 0
    return {"asked": asked, "free": None if most is None else max(0, most - used), "most": most}


def _say(name: str, part: Part) -> str:
    cores = (
        f" ({(part['asked'] or 0) / words.SHARES_PER_CORE:g} cores)" if name == "cpu_shares" else ""
    )
    return f"{part['asked']} {name}{cores} asked for, {part['free']} of {part['most']} free"


def _times(amount: float, ratio: float) -> int | None:
    """Without a sensible ratio nothing is counted."""
    return int(amount * ratio) if math.isfinite(ratio) and ratio > 0 else None
