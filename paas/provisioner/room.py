"""Whether the server has room for instances, asked before any of them is made.

The node decides, at each `create`; asking first means that what can't be done as a whole is not
begun, and that its owner reads one sentence about all of it.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from paas.apps.apps import App
from paas.apps.formation import Formation
from paas.apps.packages import PACKAGES, SHARES_PER_CORE, package
from paas.errors import PlatformError, UserError
from paas.node import words
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.provisioner import plan
from paas.settings import Settings, where
from paas.store import accounts

CODE = "InsufficientCapacity"
_POOL_CODES = {
    "NoSpace": "no_space",
    "QuotaExceeded": "quota_exceeded",
    "PoolUnavailable": "pool_unavailable",
}
"""Refusals of the node's disk: nobody's fault who asks, and nothing is changed by them."""
_ASKED_ABOUT = ("uuid", "brand", "image_uuid", "max_physical_memory", "cpu_shares", "quota")
_UNITS = {"cpu_shares": "cores", "memory_mib": "MiB of memory", "disk_gib": "GiB of disk"}
_SETTINGS = {
    "cpu_shares": "cpu_oversell",
    "memory_mib": "memory_oversell",
    "disk_gib": "disk_oversell",
}
_IMAGE = str(uuid.UUID(int=0))


class NoRoom(UserError):
    """The server has promised what it has: nothing was changed."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("insufficient_capacity", message, hint)


async def check(platform: Platform, payloads: Sequence[Mapping[str, Any]]) -> None:
    """Raises NoRoom. A node that can't answer now is asked again by `create`."""
    await _ask(platform, [_question(payload) for payload in payloads])


async def check_formation(platform: Platform, app: App, formation: Formation) -> None:
    """As `check`, for a release that is still to be built. What runs of the app has its room."""
    await _ask(
        platform,
        [
            {
                "uuid": str(uuid.uuid4()),
                "brand": "lx",
                "image_uuid": _IMAGE,
                **_size(wanted.package),
                "internal_metadata": {words.PLACE: f"{app.id}/{wanted.name}"},
            }
            for wanted in plan.full(formation)
        ],
    )


async def _ask(platform: Platform, questions: Sequence[Mapping[str, Any]]) -> None:
    try:
        found = await platform.node.room(questions)
    except NodeError:
        return
    text = refusal(found, len(questions))
    if text and await _is_shared(platform):
        raise _without_figures(text.partition(":")[0])
    if text:
        advice = hint(platform.settings, lacking(found), fitting(found, questions))
        raise NoRoom(text, advice)


async def _is_shared(platform: Platform) -> bool:
    """Whether there are people who don't operate the platform: what is free, and how much there
    is, would tell them of others' apps."""
    return await platform.database.run(accounts.has_others)


def _without_figures(text: str) -> NoRoom:
    hint = "Scale to fewer or smaller instances, or ask who operates the platform to make room."
    return NoRoom(text, hint)


def lacking(room: Mapping[str, Mapping[str, int | None]]) -> list[str]:
    """What there is too little of. Pure."""
    return [
        name
        for name, part in room.items()
        if part["free"] is not None and (part["asked"] or 0) > part["free"]
    ]


def refusal(room: Mapping[str, Mapping[str, int | None]], count: int) -> str:
    """Why `count` instances have no room; empty when they have. Pure."""
    said = [
        f"{'they ask' if count > 1 else 'it asks'} for {_number(name, room[name]['asked'])} "
        f"{_UNITS.get(name, name)}, and "
        f"{_number(name, room[name]['free'])} of the {_number(name, room[name]['most'])} that may "
        "be promised are free"
        for name in lacking(room)
    ]
    what = f"{count} more instances" if count > 1 else "one more instance"
    return f"there is no room for {what} on this server: {'; '.join(said)}" if said else ""


def hint(settings: Settings, names: Collection[str], fits: str = "") -> str:
    """What its owner can do, and what the operator. `fits` is a change that there is room for."""
    wanted = [_SETTINGS[name] for name in names if name in _SETTINGS] or list(_SETTINGS.values())
    places = [f"{where(settings, name)} (now {getattr(settings, name):g})" for name in wanted]
    smaller = f" There is room for: paas ps:scale {fits}" if fits else ""
    return (
        f"Scale to fewer or smaller instances, here or of another app.{smaller}\n"
        f"The operator of this server can promise more by {', '.join(places)}."
    )


def fitting(
    room: Mapping[str, Mapping[str, int | None]], questions: Sequence[Mapping[str, Any]]
) -> str:
    """For a first instance that has none: in the largest package that has room; or nothing."""
    names = [
        str(each["internal_metadata"].get(words.PLACE, "")).rpartition("/")[2] for each in questions
    ]
    type, _, number = (names[0] if len(names) == 1 else "").partition(".")
    if number != "1":
        return ""
    for each in reversed(PACKAGES):
        needs = {
            "cpu_shares": each.cpu_shares,
            "memory_mib": each.max_physical_memory,
            "disk_gib": each.quota,
        }
        free = {name: part["free"] for name, part in room.items()}
        if all(left is None or needs[name] <= left for name, left in free.items()):
            return f"{type}=1:{each.name}"
    return ""


async def refused(platform: Platform, error: NodeError) -> Exception:
    """What the node's refusal to make a machine means to who asked for it."""
    if error.code == CODE and await _is_shared(platform):
        return _without_figures(error.message.partition(":")[0])
    if error.code == CODE:
        # Others were quicker.
        names = [name for name in _SETTINGS if name in error.message]
        return NoRoom(error.message.partition(";")[0], hint(platform.settings, names))
    if error.code in _POOL_CODES:
        return UserError(
            _POOL_CODES[error.code],
            f"The platform has no room on its disk: {error.message}",
            "What runs goes on as it was. Try again when the operator has made room.",
        )
    return PlatformError(f"a machine could not be made: {error.message}")


def _question(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Only what is counted: an app's configuration is long."""
    metadata = {
        key: value for key, value in payload["internal_metadata"].items() if key == words.PLACE
    }
    return {**{key: payload[key] for key in _ASKED_ABOUT}, "internal_metadata": metadata}


def _size(name: str) -> dict[str, int]:
    found = package(name)
    return {
        "max_physical_memory": found.max_physical_memory,
        "cpu_shares": found.cpu_shares,
        "quota": found.quota,
    }


def _number(name: str, amount: int | None) -> str:
    return f"{(amount or 0) / SHARES_PER_CORE:g}" if name == "cpu_shares" else str(amount or 0)
